"""What is bound to a revision: policies that only one control plane reads, namespaces whose label leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clients.kube.fields import kind_and_name, labels_of, spec_of
from clients.kube.labels import REVISION_LABEL
from clients.mesh.survey import injection
from clients.mesh.survey.injection import DEFAULT
from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.view import CONFIGURATION, Json, MeshView

CHECK = "revisions"
_SECURITY = frozenset({"AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"})

_PLACES = ("selector", "workloadSelector", "targetRef", "targetRefs", "host", "hosts")
"""Fields of specifications that say what an object is for."""


def checks(view: MeshView, target: str = "") -> Iterator[Touched]:
    """What is bound to another revision than the one that the mesh moves to.

    Args:
        target: revision after the upgrade; empty where it keeps its name (an upgrade in place).
    """
    injectors = injection.injectors(view.of("MutatingWebhookConfiguration"))
    names = {one.name: one.revision for one in injectors} | {one.revision: one.revision for one in injectors}
    yield from _configuration(view, names, target)
    if injectors:
        yield from _namespaces(view, names)


def _configuration(view: MeshView, names: Mapping[str, str], target: str) -> Iterator[Touched]:
    """Configuration with the label; a control plane reads what has its own revision, a tag of it, or no label."""
    for body in view.of(*CONFIGURATION):
        bound = labels_of(body).get(REVISION_LABEL)
        if not bound:
            continue
        level = ChangeLevel.ERROR if body["kind"] in _SECURITY else ChangeLevel.WARNING
        code, hint = "REVISION-BOUND", f"remove the label {REVISION_LABEL}"
        leads = names.get(bound, bound)
        others = [one for one in _of_its_place(view, body) if _leads(one, names) != leads]
        twins = [one for one in others if _leads(one, names) == target]
        if target and any(spec_of(one) == spec_of(body) for one in twins):
            continue
        if bound not in names and bound != target:
            text = f"bound to the revision {bound}, which does not exist: no control plane reads it"
        elif target and leads != target:
            text = f"bound to the revision {bound}: the revision {target} does not read it"
            if twins:
                code, hint = "REVISION-DIFFERS", "give both the same specification, or remove both labels"
                text = f"{text}, and {kind_and_name(twins[0])}, which it reads in its place, says something else"
        elif target and not others:
            code, level = "REVISION-BEGINS", ChangeLevel.WARNING
            text = f"bound to the revision {bound}: what it says begins with the move"
        else:
            continue
        yield Touched(code, level, CHECK, text, (kind_and_name(body),), hint)


def _of_its_place(view: MeshView, body: Json) -> list[Json]:
    """Other objects of its kind with the label that are for the same workloads."""
    return [
        one
        for one in view.of(*CONFIGURATION)
        if one is not body and labels_of(one).get(REVISION_LABEL) and _place(one) == _place(body)
    ]


def _place(body: Json) -> tuple[str, ...]:
    where = (spec_of(body).get(key) for key in _PLACES)
    return (body["kind"], body["metadata"].get("namespace", ""), *map(str, where))


def _leads(body: Json, names: Mapping[str, str]) -> str:
    bound = labels_of(body).get(REVISION_LABEL, "")
    return names.get(bound, bound)


def _namespaces(view: MeshView, names: Mapping[str, str]) -> Iterator[Touched]:
    for body in view.of("Namespace"):
        wanted, injected = labels_of(body).get(REVISION_LABEL, ""), labels_of(body).get("istio-injection", "")
        here = (kind_and_name(body),)
        if wanted and injected == "enabled":
            text = f"the label istio-injection counts, and the revision {wanted} does not"
            hint = "remove the label istio-injection, or the namespace does not move"
            yield Touched("REVISION-HIDDEN", ChangeLevel.ERROR, CHECK, text, here, hint)
        elif wanted and wanted not in names:
            text = f"the label {REVISION_LABEL}={wanted} leads to no control plane: new pods get no sidecar"
            yield Touched(
                "REVISION-NOWHERE", ChangeLevel.ERROR, CHECK, text, here, f"known: {', '.join(sorted(names))}"
            )
        elif injected == "enabled" and DEFAULT not in names:
            text = "there is no default revision or tag: new pods get no sidecar"
            yield Touched(
                "REVISION-NOWHERE", ChangeLevel.ERROR, CHECK, text, here, "istioctl tag set default --revision NAME"
            )
