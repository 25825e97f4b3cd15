"""Restarts of Deployments of the ground, as `kubectl rollout restart` does them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from clients import readiness
from clients.pods import SIDECAR, Pod
from clients.world import World

ANNOTATION = "kubectl.kubernetes.io/restartedAt"


def restart(world: World, namespace: str, name: str, *, wait: bool = True) -> str | None:
    """New pods for a Deployment, by the document's name; waits until they are ready and the old ones gone.

    Returns what stood in the place of the annotation, for `take_back`.

    Raises:
        ClusterError: they are not ready in time.
    """
    found = world.cluster.get("apps/v1", "Deployment", name, world.overlay.namespace(namespace)) or {}
    before = found["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
    _annotate(world, namespace, name, datetime.now(UTC).isoformat(), wait=wait)
    return before


def take_back(world: World, namespace: str, name: str, before: str | None) -> None:
    """The Deployment as it was before `restart`: pods of then that still run stay.

    Raises:
        ClusterError: they are not ready in time.
    """
    _annotate(world, namespace, name, before, wait=True)


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


def _annotate(world: World, namespace: str, name: str, value: str | None, *, wait: bool) -> None:
    body = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: value}}}}}
    changed = world.cluster.patch("apps/v1", "Deployment", name, world.overlay.namespace(namespace), body)
    if wait:
        readiness.wait(world.cluster, changed, time.monotonic() + world.applier.timeout_s)
    world.forget()
