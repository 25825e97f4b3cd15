"""istiod itself: its restart, and its log. Only on a target whose istiod may be restarted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from clients.kube.api import RequestError
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGER
from clients.kube.pods import Pod
from clients.mesh import sidecar
from clients.mesh.discovery import ROOT_NAMESPACE
from clients.model.api_groups import SECURITY_V1
from clients.model.errors import ClusterError
from clients.model.polling import poll

NAME = "istiod"
LABEL = "app=istiod"
CONTAINER = "discovery"
GRACE_S = 1
_DELETED_FIRST = "controller.kubernetes.io/pod-deletion-cost"
"""Annotation of Kubernetes: of several pods, those with the lowest value go first."""

_TRIED = {
    "apiVersion": SECURITY_V1,
    "kind": "PeerAuthentication",
    "metadata": {"name": "meshproof-istiod-answers", "namespace": "default"},
    "spec": {"mtls": {"mode": "PERMISSIVE"}},
}
"""Sent by dry run only: the API server calls istiod's webhook to validate it."""


def restart(cluster: Cluster, timeout_s: float) -> None:
    """Replace istiod's pods by new ones, and wait until only those are there and the API server reaches their webhook.

    istiod loses what it holds in memory: the keys of issuers, and its back-off before it fetches them again. The new
    pods are ready before the old ones are deleted, so that each proxy reconnects at its first try; after several failed
    tries it would pause for up to half a minute (Envoy's back-off), with stale rules meanwhile.

    Args:
        timeout_s: limit for all of it, in seconds.

    Raises:
        ClusterError: istiod does not come back in time.
    """
    deadline = time.monotonic() + timeout_s
    old = cluster.pods(ROOT_NAMESPACE, LABEL)
    for pod in old:
        annotations = {_DELETED_FIRST: "-1"}
        cluster.patch("v1", "Pod", pod.name, ROOT_NAMESPACE, {"metadata": {"annotations": annotations}})
    _scale(cluster, 2 * len(old))
    try:
        _wait(cluster, lambda now: len(now - {pod.name for pod in old}) == len(old), deadline)
    finally:
        _scale(cluster, len(old))
    _hurry(cluster, old)
    _wait(cluster, lambda now: len(now) == len(old) and not now & {pod.name for pod in old}, deadline)
    if not poll(lambda: _judges(cluster), deadline):
        raise ClusterError("the API server does not reach istiod's webhook", "see the events in istio-system")


def _scale(cluster: Cluster, replicas: int) -> None:
    cluster.patch("apps/v1", "Deployment", NAME, ROOT_NAMESPACE, {"spec": {"replicas": replicas}})


def _wait(cluster: Cluster, done: Callable[[set[str]], bool], deadline: float) -> None:
    """Wait until `done` accepts the names of istiod's pods, and every pod is ready."""

    def reached() -> bool:
        pods = cluster.pods(ROOT_NAMESPACE, LABEL)
        return all(pod.ready for pod in pods) and done({pod.name for pod in pods})

    if not poll(reached, deadline):
        raise ClusterError("istiod did not come back in time", "see the events in istio-system")


def _hurry(cluster: Cluster, old: list[Pod]) -> None:
    """Shorten the grace period of the terminating pods: until they end, they serve proxies from their old memory."""
    poll(lambda: all(_goes(cluster, pod) for pod in old), time.monotonic() + GRACE_S)
    for pod in old:
        with suppress(RequestError):  # gone meanwhile
            path = f"/api/v1/namespaces/{ROOT_NAMESPACE}/pods/{pod.name}"
            cluster.api.json("DELETE", path, body={"gracePeriodSeconds": GRACE_S})


def _goes(cluster: Cluster, pod: Pod) -> bool:
    found = cluster.get("v1", "Pod", pod.name, ROOT_NAMESPACE)
    return found is None or "deletionTimestamp" in found["metadata"]


def _judges(cluster: Cluster) -> bool:
    try:
        cluster.apply(_TRIED, manager=MANAGER, dry_run=True)
    except RequestError:
        return False
    return True


def log_lines(cluster: Cluster) -> list[str]:
    """Lines that all pods of istiod have logged since they were started.

    Raises:
        InfrastructureError: a log cannot be read.
    """
    pods = cluster.pods(ROOT_NAMESPACE, LABEL)
    return [line for pod in pods for line in sidecar.log_lines(cluster, pod, CONTAINER)]
