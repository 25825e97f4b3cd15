"""Another type for a Service that asks for a load balancer, where none can be had or none is used."""

from __future__ import annotations

from typing import Any

from clients.model.api_groups import GATEWAY_API
from clients.model.service_type import CLUSTER_IP, LOAD_BALANCER, NODE_PORT

LESSER = (NODE_PORT, CLUSTER_IP)
"""In the order in which they are tried in the place of a load balancer."""
ANNOTATION = "networking.istio.io/service-type"
"""Of a Gateway: type of the Service that istiod makes for it (Istio, Resource Annotations)."""
_OF_BALANCERS = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "healthCheckNodePort",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
    }
)
"""Fields that only a Service of type LoadBalancer may have."""


def as_type(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """A Service of type LoadBalancer, or a Gateway for which one is made, with this type instead.

    `body` is not changed. Other objects stay as they are.
    """
    spec = body.get("spec") or {}
    if body["kind"] == "Service" and spec.get("type") == LOAD_BALANCER:
        return {**body, "spec": _narrowed(spec, kind)}
    if body["kind"] == "Gateway" and body["apiVersion"].startswith(f"{GATEWAY_API}/"):
        meta = body["metadata"]
        return {**body, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), ANNOTATION: kind}}}
    return body


def _narrowed(spec: dict[str, Any], kind: str) -> dict[str, Any]:
    """Without the fields that a Service of this type may not have (Kubernetes, validation of Services)."""
    left_out = _OF_BALANCERS | ({"externalTrafficPolicy"} if kind == CLUSTER_IP else set())
    made = {name: value for name, value in spec.items() if name not in left_out}
    if kind == CLUSTER_IP:
        ports = spec.get("ports") or ()
        made["ports"] = [{name: value for name, value in port.items() if name != "nodePort"} for port in ports]
    return {**made, "type": kind}
