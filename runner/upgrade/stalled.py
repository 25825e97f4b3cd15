"""Pods that do not start in the course of a move: where the mesh is the cause, that speaks against the upgrade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.kube.api import RequestError
from clients.kube.cluster import Cluster
from clients.kube.pods import SIDECAR, Pod
from runner.upgrade.moving import revision_of
from runner.upgrade.record import Event, UpgradeSide

REASON = 400
"""Characters of a reason that an event shows: what a proxy could not verify is at the end of its line."""
TAIL = 100
"""Lines of a proxy's log in which its reason is looked for."""
_TROUBLE = ("\terror\t", "\twarn\t", "[error]", "[critical]", "[warning]")
"""Levels in the logs of pilot-agent and of Envoy."""
_NEVER_RAN = frozenset(
    {"ContainerCreating", "PodInitializing", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"}
)


class PhaseStoppedError(Exception):
    """A phase cannot go on, and why speaks against the upgrade."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__(events[0].text)
        self.events = events


def events(phase: str, cluster: Cluster, namespace: str, side: UpgradeSide) -> list[Event]:
    """Why pods of a namespace do not start: their proxies, or the webhook that injects them; none for other reasons."""
    found = [
        Event(phase, "not ready", f"{namespace}/{body['metadata']['name']}", _because(cluster, body, side))
        for body in cluster.objects("v1", "Pod", namespace)
        if "deletionTimestamp" not in body["metadata"] and revision_of(body) == side.revision and _proxy_waits(body)
    ]
    return [*found, *_not_injected(phase, cluster, namespace)]


def _proxy_waits(body: Mapping[str, Any]) -> bool:
    """Whether the proxy has run, and is not ready."""
    status = body.get("status") or {}
    for one in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        if one["name"] == SIDECAR:
            waiting = ((one.get("state") or {}).get("waiting") or {}).get("reason", "")
            return not one.get("ready") and waiting not in _NEVER_RAN
    return False


def _because(cluster: Cluster, body: dict[str, Any], side: UpgradeSide) -> str:
    text = f"its proxy of revision {side.revision} does not become ready"
    try:
        lines = cluster.logs(Pod.from_json(body), SIDECAR, tail=TAIL).splitlines()
    except RequestError:
        return text
    bad = [line for line in lines if any(level in line for level in _TROUBLE)] or lines[-1:]
    return f"{text}: {' '.join(bad[-1].split())[:REASON]}" if bad else text


def _not_injected(phase: str, cluster: Cluster, namespace: str) -> Iterator[Event]:
    """Deployments whose pods cannot be made, because a webhook does not answer."""
    for one in cluster.objects("apps/v1", "Deployment", namespace):
        for condition in (one.get("status") or {}).get("conditions") or ():
            message = str(condition.get("message", ""))
            failed = condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
            if failed and "failed calling webhook" in message:
                yield Event(phase, "not ready", f"{namespace}/{one['metadata']['name']}", message[:REASON])
