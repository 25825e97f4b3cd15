"""Whether an object is ready by its own status, and why it is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from clients.model.errors import ClusterError

if TYPE_CHECKING:
    from clients.kube.cluster import Cluster

_POLL_S = 0.1
_HOPELESS = frozenset(
    {"ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff"}
)
"""Waiting reasons of a container that rarely go away: reported at once, without the time limit (kubelet)."""


_GATEWAY_API = "gateway.networking.k8s.io/"
_GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
"""Label of the objects that a controller deploys for a Gateway (Gateway API, GEP-1762)."""


def poll(done: Callable[[], bool], deadline: float) -> bool:
    """Call `done` until it is true or the monotonic `deadline` has passed; at least once."""
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def wait(cluster: Cluster, body: dict[str, Any], deadline: float) -> None:
    """Wait until the object is ready. Kinds without a status count as ready at once.

    Raises:
        ClusterError: not ready at the monotonic `deadline`, or a container of it cannot start.
    """
    kind, meta = body["kind"], body["metadata"]
    if kind == "Namespace":
        problem = partial(_namespace, cluster, meta["name"])
    elif kind == "Deployment":
        problem = partial(_deployment, cluster, meta["namespace"], meta["name"])
    elif kind == "Gateway" and body["apiVersion"].startswith(_GATEWAY_API):
        problem = partial(_gateway, cluster, body["apiVersion"], meta["namespace"], meta["name"])
    else:
        return
    if not poll(lambda: not problem(), deadline) and (why := problem()):
        raise ClusterError(f"{kind} {meta['name']} is not ready in time: {why}", "see the diagnostics of the run")


def _namespace(cluster: Cluster, name: str) -> str:
    found = cluster.get("v1", "Namespace", name)
    phase = found.get("status", {}).get("phase", "not yet Active") if found else "missing"
    return "" if phase == "Active" else f"it is {phase}"


def _deployment(cluster: Cluster, namespace: str, name: str) -> str:
    """Empty when the controller has seen the newest generation and every replica wanted is available, and no other."""
    found = cluster.get("apps/v1", "Deployment", name, namespace)
    if found is None:
        return "it is missing"
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return "its controller has not seen it yet"
    counts = {key: status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    if all(count == wanted for count in counts.values()):
        return ""
    return f"{counts['availableReplicas']} of {wanted} replicas available{_reasons(cluster, namespace, name, found)}"


def _gateway(cluster: Cluster, api_version: str, namespace: str, name: str) -> str:
    """Empty when the controller has programmed the newest generation and its Deployment is available."""
    found = cluster.get(api_version, "Gateway", name, namespace)
    if found is None:
        return "it is missing"
    conditions = {one["type"]: one for one in found.get("status", {}).get("conditions", ())}
    programmed = conditions.get("Programmed", {})
    if programmed.get("status") != "True" or programmed.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return f"it is not programmed{': ' if 'message' in programmed else ''}{programmed.get('message', '')[:300]}"
    deployed = cluster.objects("apps/v1", "Deployment", namespace, labels=f"{_GATEWAY_NAME}={name}")
    problems = (_deployment(cluster, namespace, one["metadata"]["name"]) for one in deployed)
    return next((problem for problem in problems if problem), "")


def _reasons(cluster: Cluster, namespace: str, name: str, deployment: dict[str, Any]) -> str:
    labels = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"].get("matchLabels", {}).items())
    for pod in cluster.objects("v1", "Pod", namespace, labels=labels):
        for state in pod.get("status", {}).get("containerStatuses", ()):
            waiting = state.get("state", {}).get("waiting") or {}
            if waiting.get("reason") in _HOPELESS:
                text = f"container {state['name']} of {namespace}/{pod['metadata']['name']} is in {waiting['reason']}"
                raise ClusterError(f"Deployment {name} cannot start: {text}: {waiting.get('message', '')}"[:400])
    return _refused_pods(deployment)


def _refused_pods(deployment: dict[str, Any]) -> str:
    """The controller's message when the API server refuses its pods (quota, pod security, a failing webhook)."""
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return f": {condition.get('message', '')[:300]}"
    return ""
