"""What injects sidecars into pods: the webhooks, the revisions and tags that they react to, and where they lead.

Sources: Istio, "Canary Upgrades" and "Installing the Sidecar" (labels `istio.io/rev`, `istio.io/tag`); the manifests of
its chart `istiod` and of `istioctl tag` (names and labels of the webhooks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clients.kube.fields import labels_of
from clients.kube.labels import REVISION_LABEL
from clients.model.errors import SettingsError

TAG_LABEL = "istio.io/tag"
DEFAULT = "default"
"""Name of the revision, or of the tag, that the label `istio-injection: enabled` leads to."""
_LABEL = ("app", "sidecar-injector")
_NAMES = "sidecar-injector.istio.io"
"""End of the names of all injection webhooks, whatever labels their configuration has."""
_DEACTIVATED = "istio.io/deactivated"
"""Key in the selector of a webhook that `istioctl tag` has turned off in favour of a tag."""


@dataclass(frozen=True)
class Injector:
    """One configuration of injection webhooks.

    Attributes:
        revision: of the control plane that it leads to.
        tag: by which namespaces ask for it; empty where that is the revision itself.
        namespace, service: of the Service that is called; empty where it is called by a URL.
        host: of that URL; empty where a Service is called.
        fails_open: a pod is admitted as it is where the injector does not answer.
    """

    revision: str
    tag: str = ""
    namespace: str = ""
    service: str = ""
    host: str = ""
    fails_open: bool = False

    @property
    def name(self) -> str:
        """Value of `istio.io/rev` that it reacts to."""
        return self.tag or self.revision


@dataclass(frozen=True)
class Revision:
    """A control plane, as namespaces ask for it.

    Attributes:
        label: value of `istio.io/rev` for namespaces; empty for `istio-injection: enabled`.
        name: the revision that this leads to, never a tag; empty where nothing injects.
    """

    label: str = ""
    name: str = ""


def injectors(configurations: Iterable[Mapping[str, Any]]) -> tuple[Injector, ...]:
    """The injectors among MutatingWebhookConfigurations, by the names that they react to, without those turned off."""
    found = [one for body in configurations if (one := _injector(body))]
    return tuple(sorted(found, key=lambda one: one.name))


def tags(found: Iterable[Injector]) -> dict[str, str]:
    """Tag → revision."""
    return {one.tag: one.revision for one in found if one.tag}


def revisions(found: Iterable[Injector]) -> tuple[str, ...]:
    """All revisions, sorted; no tags."""
    return tuple(sorted({one.revision for one in found}))


def choose(wanted: str, found: Sequence[Injector]) -> Revision:
    """The revision that a run uses.

    Args:
        wanted: name of a revision or of a tag; empty for the default one, or the only one.

    Raises:
        SettingsError: the wanted one does not exist, or it is not clear which one to use.
    """
    names = {one.name: one.revision for one in found}
    known = ", ".join(sorted({*names, *names.values()}))
    if not found:
        return Revision()
    if wanted:
        if wanted not in names:
            raise SettingsError(f"the mesh has no revision or tag {wanted}", f"it has: {known}")
        return Revision(wanted, names[wanted])
    if DEFAULT in names:
        return Revision("", names[DEFAULT])
    several = sorted(set(names.values()))
    if len(several) > 1:
        raise SettingsError("the mesh has several revisions and no default one", f"choose by --revision: {known}")
    return Revision(several[0] if several[0] in names else min(names), several[0])


def injector_of(revision: Revision, found: Sequence[Injector]) -> Injector | None:
    """The injector that a revision is asked for by; None where nothing injects."""
    return next((one for one in found if one.name == (revision.label or DEFAULT)), None)


def _injector(body: Mapping[str, Any]) -> Injector | None:
    labels = labels_of(body)
    hooks = body.get("webhooks") or []
    ours = [hook for hook in hooks if str(hook.get("name", "")).endswith(_NAMES)]
    if not ours and labels.get(_LABEL[0]) != _LABEL[1]:
        return None
    active = [hook for hook in ours or hooks if not _is_off(hook)]
    if hooks and not active:
        return None
    client = active[0].get("clientConfig") or {} if active else {}
    service = client.get("service") or {}
    return Injector(
        revision=str(labels.get(REVISION_LABEL) or DEFAULT),
        tag=str(labels.get(TAG_LABEL) or ""),
        namespace=str(service.get("namespace") or ""),
        service=str(service.get("name") or ""),
        host=urlsplit(str(client.get("url") or "")).hostname or "",
        fails_open=any(hook.get("failurePolicy") == "Ignore" for hook in active),
    )


def _is_off(hook: Mapping[str, Any]) -> bool:
    return _DEACTIVATED in ((hook.get("namespaceSelector") or {}).get("matchLabels") or {})
