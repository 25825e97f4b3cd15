"""Namespaces of the user that move with an upgrade (`--namespace`): their labels, and new pods of their Deployments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clients.apply.overlay import INJECTION_LABEL
from clients.hold.held import LABEL
from clients.kube.api import RequestError
from clients.kube.cluster import Cluster
from clients.kube.fields import labels_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, REVISION_LABEL
from clients.mesh.survey.injection import DEFAULT, Injector
from clients.model.errors import SettingsError
from runner.upgrade import moving
from runner.upgrade.record import Event, OwnNamespace, UpgradeSide
from runner.upgrade.verdict import NOT_KNOWN_KIND


def find(
    cluster: Cluster, names: Sequence[str], old: UpgradeSide, injectors: Iterable[Injector], root: str
) -> tuple[OwnNamespace, ...]:
    """What each of them has before it moves.

    Raises:
        SettingsError: one does not exist, is the mesh's or the harness's own, is not on the old revision, or this
            identity may not move it.
        ClusterError: the cluster does not answer.
    """
    leads = {one.name: one.revision for one in injectors}
    found = []
    for name in dict.fromkeys(names):
        body = cluster.get("v1", "Namespace", name)
        if body is None:
            raise SettingsError(f"there is no namespace {name}", "name an existing one by --namespace")
        labels = labels_of(body)
        if name == root or LABEL in labels or labels.get(MANAGED_BY_LABEL) == MANAGER:
            raise SettingsError(f"the namespace {name} cannot be moved", "it is the mesh's, or the harness's own")
        now = leads.get(asks_for(labels), "")
        if now != old.revision:
            what = f"on {now}" if now else "injected by no revision"
            raise SettingsError(
                f"the namespace {name} is {what}, and not on {old.revision}", "label it, or leave it out"
            )
        _try(cluster, name, labels)
        found.append(OwnNamespace(name, labels.get(REVISION_LABEL, ""), labels.get(INJECTION_LABEL, "")))
    return tuple(found)


def _try(cluster: Cluster, name: str, labels: Mapping[str, str]) -> None:
    """Change nothing, as a dry run: the shipped rights are for namespaces of a run's own, and refuse others."""
    kept = {key: labels[key] for key in (REVISION_LABEL, INJECTION_LABEL) if key in labels}
    bodies = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": kept}}]
    for one in cluster.objects("apps/v1", "Deployment", name)[:1]:
        meta = {"name": one["metadata"]["name"], "namespace": name}
        bodies.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta})
    try:
        for body in bodies:
            cluster.apply(body, manager=MANAGER, dry_run=True)
    except RequestError as error:
        hint = "use an identity that may, or move it by --hook moved=COMMAND and --hook rolled-back=COMMAND"
        raise SettingsError(f"this identity may not move the namespace {name}: {error.detail}", hint) from None


def asks_for(labels: Mapping[str, str]) -> str:
    """The revision or tag that the labels of a namespace ask for; `istio-injection` goes first (Istio's webhooks)."""
    if (injection := labels.get(INJECTION_LABEL)) is not None:
        return DEFAULT if injection == "enabled" else ""
    return labels.get(REVISION_LABEL, "")


def move(cluster: Cluster, one: OwnNamespace, side: UpgradeSide) -> None:
    """To a revision.

    Raises:
        ClusterError: a pod does not become ready in time.
    """
    moving.roll(cluster, one.name, moving.labels_of(side))


def put_back(cluster: Cluster, one: OwnNamespace) -> None:
    """The labels that it had, and new pods.

    Raises:
        ClusterError: a pod does not become ready in time.
    """
    moving.roll(cluster, one.name, {REVISION_LABEL: one.revision or None, INJECTION_LABEL: one.injection or None})


def strays(phase: str, cluster: Cluster, own: Iterable[OwnNamespace], due: UpgradeSide) -> list[Event]:
    """Proxies that did not move: those of pods without a Deployment, or with a revision of their own."""
    found = []
    for one in own:
        for pod in cluster.objects("v1", "Pod", one.name):
            seen = moving.revision_of(pod)
            if seen and seen != due.revision and _goes_on(pod):
                found.append(moving.stray(phase, one.name, pod, due))
    return found


def forgotten(phase: str, cluster: Cluster, own: Iterable[OwnNamespace], old: UpgradeSide) -> list[Event]:
    """Namespaces that the user's own step has left on the old revision: what would become of them is not known."""
    named = {one.name for one in own}
    try:
        held = cluster.objects("v1", "Namespace", labels=f"{MANAGED_BY_LABEL}={MANAGER}")
        pods = [
            pod for pod in cluster.objects("v1", "Pod") if moving.revision_of(pod) == old.revision and _goes_on(pod)
        ]
    except RequestError as error:
        text = f"whether a namespace is still on the old revision cannot be seen: {error.detail}"
        return [Event(phase, NOT_KNOWN_KIND, "namespaces", text)]
    known = named | {one["metadata"]["name"] for one in held}
    counts = Counter(name for pod in pods if (name := pod["metadata"]["namespace"]) not in known)
    return [
        Event(phase, NOT_KNOWN_KIND, name, f"it was not moved: proxies of {count} of its pods are of {old.revision}")
        for name, count in sorted(counts.items())
    ]


def _goes_on(pod: Mapping[str, Any]) -> bool:
    """Neither ending nor ended."""
    return "deletionTimestamp" not in pod["metadata"] and (pod.get("status") or {}).get("phase") not in (
        "Succeeded",
        "Failed",
    )
