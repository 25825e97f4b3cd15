"""Restarts of the environment's Deployments, by the annotation of `kubectl rollout restart`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from clients.kube import readiness
from clients.kube.pods import SIDECAR, Pod
from clients.proof.world import World

ANNOTATION = "kubectl.kubernetes.io/restartedAt"


def restart(world: World, namespace: str, *names: str, wait: bool = True) -> dict[str, str | None]:
    """Replace the pods of Deployments (by the document's names); wait until new pods are ready and old ones gone.

    Returns the previous value of the annotation of each, for `take_back`.

    Raises:
        ClusterError: they are not ready in time.
    """
    before = {}
    for name in names:
        found = world.cluster.get("apps/v1", "Deployment", name, world.overlay.namespace(namespace)) or {}
        before[name] = found["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
    _annotate(world, namespace, dict.fromkeys(names, datetime.now(UTC).isoformat()), wait=wait)
    return before


def take_back(world: World, namespace: str, before: dict[str, str | None]) -> None:
    """Undo `restart`: Deployments get their previous annotations, and old pods that still run stay.

    Raises:
        ClusterError: they are not ready in time.
    """
    _annotate(world, namespace, before, wait=True)


def pods(world: World, namespace: str, app: str) -> list[Pod]:
    """Pods of an app that are not being deleted, ready or not, the newest last."""
    home = world.overlay.namespace(namespace)
    found = world.cluster.objects("v1", "Pod", home, labels=f"app={app}")
    alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return [Pod.from_json(pod) for pod in sorted(alive, key=lambda pod: pod["metadata"]["creationTimestamp"])]


def started(world: World, pod: Pod, container: str) -> bool:
    """Whether a container runs: an ordinary one or a native sidecar."""
    found = world.cluster.get("v1", "Pod", pod.name, pod.namespace) or {}
    status = found.get("status", {})
    states = [*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())]
    return any(state["name"] == container and "running" in state["state"] for state in states)


def proxy_started(world: World, pod: Pod) -> bool:
    """Whether the sidecar runs, ready or not."""
    return started(world, pod, SIDECAR)


def _annotate(world: World, namespace: str, values: Mapping[str, str | None], *, wait: bool) -> None:
    home, changed = world.overlay.namespace(namespace), []
    for name, value in values.items():
        body = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: value}}}}}
        changed.append(world.cluster.patch("apps/v1", "Deployment", name, home, body))
    deadline = time.monotonic() + world.applier.timeout_s
    for one in changed if wait else ():
        readiness.wait(world.cluster, one, deadline)
    world.forget()
