"""Restarts of the environment's Deployments, by the annotation of `kubectl rollout restart`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from clients.kube import readiness
from clients.kube.pods import SIDECAR, Pod
from clients.proof.rig.rig import Rig

ANNOTATION = "kubectl.kubernetes.io/restartedAt"


def restart(rig: Rig, namespace: str, *names: str, wait: bool = True) -> dict[str, str | None]:
    """Replace the pods of Deployments (by the document's names); wait until new pods are ready and old ones gone.

    Returns the previous value of the annotation of each, for `take_back`.

    Raises:
        ClusterError: they are not ready in time.
    """
    before = {}
    for name in names:
        found = rig.cluster.get("apps/v1", "Deployment", name, rig.overlay.namespace(namespace)) or {}
        before[name] = found["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION)
    _annotate(rig, namespace, dict.fromkeys(names, datetime.now(UTC).isoformat()), wait=wait)
    return before


def take_back(rig: Rig, namespace: str, before: dict[str, str | None]) -> None:
    """Undo `restart`: Deployments get their previous annotations, and old pods that still run stay.

    Raises:
        ClusterError: they are not ready in time.
    """
    _annotate(rig, namespace, before, wait=True)


def pods(rig: Rig, namespace: str, app: str) -> list[Pod]:
    """Pods of an app that are not being deleted, ready or not, the newest last."""
    home = rig.overlay.namespace(namespace)
    found = rig.cluster.objects("v1", "Pod", home, labels=f"app={app}")
    alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    return [Pod.from_json(pod) for pod in sorted(alive, key=lambda pod: pod["metadata"]["creationTimestamp"])]


def started(rig: Rig, pod: Pod, container: str) -> bool:
    """Whether a container runs: an ordinary one or a native sidecar."""
    found = rig.cluster.get("v1", "Pod", pod.name, pod.namespace) or {}
    status = found.get("status", {})
    states = [*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())]
    return any(state["name"] == container and "running" in state["state"] for state in states)


def proxy_started(rig: Rig, pod: Pod) -> bool:
    """Whether the sidecar runs, ready or not."""
    return started(rig, pod, SIDECAR)


def _annotate(rig: Rig, namespace: str, values: Mapping[str, str | None], *, wait: bool) -> None:
    home, changed = rig.overlay.namespace(namespace), []
    for name, value in values.items():
        body = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: value}}}}}
        changed.append(rig.cluster.patch("apps/v1", "Deployment", name, home, body))
    deadline = time.monotonic() + rig.applier.timeout_s
    for one in changed if wait else ():
        readiness.wait(rig.cluster, one, deadline)
    rig.forget()
