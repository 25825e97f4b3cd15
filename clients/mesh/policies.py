"""Policies that are in force at a proxy, by the objects on the cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import spec_of, targets_of
from clients.kube.labels import GATEWAY_NAME_LABEL, runs_dry
from clients.kube.pods import Pod
from clients.mesh.survey.survey import ROOT_NAMESPACE
from clients.model.api_groups import SECURITY_V1


@dataclass(frozen=True)
class EnforcedPolicy:
    """An AuthorizationPolicy that is enforced at some pod.

    Attributes:
        name: `namespace/name` on the cluster.
        action: `ALLOW`, `DENY`, `AUDIT` or `CUSTOM`.
    """

    name: str
    action: str


class Policies:
    """Reads the AuthorizationPolicies of a namespace once for each state of the mesh. For several threads."""

    def __init__(self, cluster: Cluster, root: str = ROOT_NAMESPACE) -> None:
        self._cluster = cluster
        self._root = root
        self._state = 0.0
        self._read: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def at(self, pods: Iterable[Pod], state: float) -> set[EnforcedPolicy]:
        """AuthorizationPolicies that one of the pods enforces.

        Args:
            state: when the mesh was changed last, monotonic: policies are read again after each change.

        Raises:
            ClusterError: they cannot be read.
        """
        return {
            _policy(body)
            for pod in pods
            if pod.injected
            for namespace in (pod.namespace, self._root)
            for body in self._of(namespace, state)
            if selects(body, pod, self._root)
        }

    def _of(self, namespace: str, state: float) -> list[dict[str, Any]]:
        with self._lock:
            if state != self._state:
                self._state, self._read = state, {}
            if namespace not in self._read:
                self._read[namespace] = self._cluster.objects(SECURITY_V1, "AuthorizationPolicy", namespace)
            return self._read[namespace]


def _policy(body: dict[str, Any]) -> EnforcedPolicy:
    meta, spec = body["metadata"], spec_of(body)
    return EnforcedPolicy(f"{meta['namespace']}/{meta['name']}", str(spec.get("action") or "ALLOW"))


def selects(policy: dict[str, Any], pod: Pod, root: str = ROOT_NAMESPACE) -> bool:
    """Whether a policy is enforced at a pod: by its selector, its targets or its namespace; not where it runs dry."""
    near = policy["metadata"]["namespace"] in (pod.namespace, root)
    return near and not runs_dry(policy) and is_for(policy, pod)


def is_for(policy: Mapping[str, Any], pod: Pod) -> bool:
    """Whether a policy of a namespace that reaches the pod is for it: attached to its gateway, or by its labels.

    A target is one of the policy's own namespace (Istio, `ShouldAttachPolicy`).
    """
    if targets := targets_of(policy):
        gateway, here = pod.labels.get(GATEWAY_NAME_LABEL), policy["metadata"].get("namespace") == pod.namespace
        return here and any(one.get("kind") == "Gateway" and one.get("name") == gateway for one in targets)
    wanted = (spec_of(policy).get("selector") or {}).get("matchLabels") or {}
    return bool(wanted.items() <= pod.labels.items())
