"""Restarts of Deployments of the ground, as `kubectl rollout restart` does them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from clients import readiness
from clients.pods import SIDECAR, Pod
from clients.world import World

ANNOTATION = "kubectl.kubernetes.io/restartedAt"


def restart(world: World, namespace: str, *names: str, wait: bool = True) -> None:
    """New pods for Deployments, by the document's names; waits until they are ready and the old ones gone.

    Raises:
        ClusterError: they are not ready in time.
    """
    _annotate(world, namespace, names, datetime.now(UTC).isoformat(), wait=wait)


def take_back(world: World, namespace: str, *names: str) -> None:
    """The Deployments as they were before `restart`.

    Raises:
        ClusterError: they are not ready in time.
    """
    _annotate(world, namespace, names, None, wait=True)


def pods(world: World, namespace: str, app: str) -> list[Pod]:
    """Pods of an app that are not being deleted, ready or not, the newest last."""
    home = world.overlay.namespace(namespace)
    found = world.cluster.objects("v1", "Pod", home, labels=f"app={app}")
    alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return [Pod.from_json(pod) for pod in sorted(alive, key=lambda pod: pod["metadata"]["creationTimestamp"])]


def started(world: World, pod: Pod, container: str) -> bool:
    """Whether a container runs, be it one of the pod or a native sidecar."""
    found = world.cluster.get("v1", "Pod", pod.name, pod.namespace) or {}
    status = found.get("status", {})
    states = [*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())]
    return any(state["name"] == container and "running" in state["state"] for state in states)


def proxy_started(world: World, pod: Pod) -> bool:
    """Whether the sidecar runs, ready or not."""
    return started(world, pod, SIDECAR)


def seconds_to_ready(world: World, namespace: str, app: str) -> float:
    """How long the newest pod took from its first container to readiness; in whole seconds, as Kubernetes keeps it."""
    pod = pods(world, namespace, app)[-1]
    found = world.cluster.get("v1", "Pod", pod.name, pod.namespace) or {}
    times = {one["type"]: one["lastTransitionTime"] for one in found.get("status", {}).get("conditions", ())}
    begun = found.get("status", {}).get("startTime")
    if not begun or "Ready" not in times:
        return 0.0
    return (datetime.fromisoformat(times["Ready"]) - datetime.fromisoformat(begun)).total_seconds()


def _annotate(world: World, namespace: str, names: tuple[str, ...], value: str | None, *, wait: bool) -> None:
    home, cluster = world.overlay.namespace(namespace), world.cluster
    body = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: value}}}}}
    changed: list[dict[str, Any]] = [cluster.patch("apps/v1", "Deployment", name, home, body) for name in names]
    deadline = time.monotonic() + world.applier.timeout_s
    for deployment in changed if wait else ():
        readiness.wait(cluster, deployment, deadline)
    world.forget()
