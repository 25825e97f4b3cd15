"""Moves namespaces of the held traffic to a revision, and looks whether their proxies are of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from clients.apply.overlay import INJECTION_LABEL
from clients.hold.held import Held
from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.fields import annotations_of
from clients.kube.labels import REVISION_LABEL
from clients.mesh.upgrade.proxies import proxy_version
from runner.upgrade.plan import PARTS, MeshState
from runner.upgrade.record import Event, UpgradeSide
from runner.upgrade.verdict import NOT_KNOWN_KIND

ROLL_S = 300.0
"""Time limit for the pods of a namespace to be replaced."""
_STATUS = "sidecar.istio.io/status"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


def move(cluster: Cluster, held: Held, part: str, side: UpgradeSide) -> None:
    """Give a namespace the revision's label, and replace its pods.

    Raises:
        ClusterError: a pod does not become ready in time.
    """
    roll(cluster, held.namespaces[PARTS[part]], labels_of(side))


def labels_of(side: UpgradeSide) -> dict[str, str | None]:
    """Labels of a namespace that ask for a revision; None removes one."""
    return {REVISION_LABEL: side.label or None, INJECTION_LABEL: None if side.label else "enabled"}


def roll(cluster: Cluster, namespace: str, labels: Mapping[str, str | None]) -> None:
    """Give a namespace labels, and replace the pods of its Deployments.

    Raises:
        ClusterError: a pod does not become ready in time.
    """
    cluster.patch("v1", "Namespace", namespace, "", {"metadata": {"labels": dict(labels)}})
    stamp = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: datetime.now(UTC).isoformat()}}}}}
    deployments = cluster.objects("apps/v1", "Deployment", namespace)
    for one in deployments:
        cluster.patch("apps/v1", "Deployment", one["metadata"]["name"], namespace, stamp)
    deadline = time.monotonic() + ROLL_S
    for one in deployments:
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": one["metadata"]}
        readiness.wait(cluster, body, deadline)
    while _ending(cluster, namespace) and time.monotonic() < deadline:
        time.sleep(0.5)


def _ending(cluster: Cluster, namespace: str) -> bool:
    """Whether pods of before are still there: they finish their requests."""
    return any("deletionTimestamp" in pod["metadata"] for pod in cluster.objects("v1", "Pod", namespace))


def strays(
    phase: str,
    cluster: Cluster,
    namespaces: Mapping[str, Iterable[str]],
    state: MeshState,
    sides: Mapping[str, UpgradeSide],
) -> list[Event]:
    """Proxies that are of another revision than their part should be, or of the other version: an event each.

    Args:
        namespaces: part → its real namespaces.
        sides: `old` and `new`.
    """
    found = []
    for part, own in namespaces.items():
        due = sides[state.of(part)]
        for namespace in own:
            for pod in cluster.objects("v1", "Pod", namespace):
                seen = revision_of(pod)
                if "deletionTimestamp" in pod["metadata"]:
                    continue
                if seen != due.revision:
                    found.append(stray(phase, namespace, pod, due))
                elif _is_of_the_other(proxy_version(pod), due, sides.values()):
                    found.append(_other_version(phase, namespace, pod, due))
    return found


def _is_of_the_other(version: str, due: UpgradeSide, sides: Iterable[UpgradeSide]) -> bool:
    """Whether a proxy has the version of the other side, by the tag of its image."""
    return version != due.version and version in {one.version for one in sides if one.version}


def _other_version(phase: str, namespace: str, pod: Mapping[str, Any], due: UpgradeSide) -> Event:
    """The right control plane has injected another version: what its own proxies do is not shown."""
    text = f"its proxy is of {proxy_version(pod)}, and {due.revision} of {due.version}: its own proxies are not shown"
    return Event(phase, NOT_KNOWN_KIND, f"{namespace}/{pod['metadata']['name']}", text)


def stray(phase: str, namespace: str, pod: Mapping[str, Any], due: UpgradeSide) -> Event:
    """The event of one proxy that is of another revision than it should be."""
    text = f"its proxy is of revision {revision_of(pod) or '(none)'} and should be of {due.revision}"
    return Event(phase, "revision", f"{namespace}/{pod['metadata']['name']}", text)


def revision_of(pod: Mapping[str, Any]) -> str:
    """The revision that injected a pod's proxy; empty where it has none (annotation of Istio's injection)."""
    try:
        found = json.loads(annotations_of(pod).get(_STATUS, "") or "null")
    except ValueError:
        return ""
    return str(found.get("revision") or "") if isinstance(found, dict) else ""
