"""Checks of labels: those of namespaces are what was sent, and what is to be outside the mesh is outside.

Admission policies change labels of new namespaces (Kyverno's library sets `istio-injection` and
`istio.io/dataplane-mode`). Rules: Istio's reference of resource labels; `istio-injection` counts before `istio.io/rev`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from clients.apply.item import Item
from clients.apply.overlay import INJECTION_LABEL
from clients.kube.cluster import Cluster
from clients.kube.fields import labels_of
from clients.kube.labels import REVISION_LABEL
from clients.kube.pods import Pod
from clients.model.errors import ClusterError
from clients.proof.preflight.namespace_checks import EXEMPT_HINT
from clients.proof.preflight.shown import CheckName, Shown, Tried

_OF_MESH = "istio.io/"
"""Begins the labels of namespaces that decide what the mesh does there, but for that of injection."""


def labels(cluster: Cluster, sent: Iterable[Item]) -> Tried | None:
    """How labels of namespaces differ from what was sent; None where they do not, or where that is not known.

    It blocks where another revision injects than the run was asked to prove.
    """
    changes: dict[str, None] = {}
    blocks = False
    for item in sent:
        if item.kind == "Namespace":
            found = stored(cluster, item)
            changes |= dict.fromkeys(changed(_labels(item), found))
            blocks = blocks or by_another_revision(_labels(item), found)
    if not changes:
        return None
    others = "; another revision injects then" if blocks else ""
    return Tried(CheckName.LABELS, False, f"{', '.join(changes)}{others}", EXEMPT_HINT, needed=blocks, blocks=blocks)


def outside(pods: Mapping[str, Pod], changes: Tried | None) -> Tried | Shown | None:
    """Whether pods that opt out of the mesh are outside; None where there are none.

    Args:
        pods: by app.
        changes: what `labels` has found, which may be why they are not.
    """
    plain = [pods[name] for name in ("outsider", "plain") if name in pods]
    inside = [f"{pod} has {_inside(pod)}" for pod in plain if _inside(pod)]
    if not plain:
        return None
    if not inside:
        return Tried(
            CheckName.OUTSIDE, True, "what opts out has no sidecar, and no proxy of its node takes its requests"
        )
    detail = "; ".join(filter(None, (" and ".join(inside), changes.detail if changes else "")))
    return Shown((Tried(CheckName.OUTSIDE, False, detail, EXEMPT_HINT),), plaintext_client=False)


def changed(sent: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """The labels that differ, in words: of those that were sent all, of others those of the mesh."""
    if not found:
        return
    for name in sorted({*sent, *(one for one in found if one == INJECTION_LABEL or one.startswith(_OF_MESH))}):
        if found.get(name) != sent.get(name):
            was = f"{sent[name]} was sent" if name in sent else "which was not sent"
            yield f"{name} is {found.get(name, 'not there')}, {was}"


def by_another_revision(sent: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether the labels ask for another revision than those that were sent."""
    if REVISION_LABEL not in sent or not found:
        return False
    return INJECTION_LABEL in found or found.get(REVISION_LABEL) != sent[REVISION_LABEL]


def stored(cluster: Cluster, namespace: Item) -> dict[str, str]:
    """The labels that a namespace has; none where it cannot be read."""
    try:
        found = cluster.get("v1", "Namespace", namespace.name) or {}
    except ClusterError:
        return {}
    return dict(found.get("metadata", {}).get("labels") or {})


def _labels(namespace: Item) -> Mapping[str, str]:
    return labels_of(namespace.body)


def _inside(pod: Pod) -> str:
    if pod.injected:
        return "a sidecar"
    return "its requests taken by its node's proxy (ambient mode)" if pod.in_ambient else ""
