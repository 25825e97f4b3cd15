"""Which DestinationRule counts for the requests of a caller to a Service.

Source: istio.io, "Cross namespace configuration" of DestinationRules: the caller's own namespace comes first, then the
Service's, then the root namespace; of one namespace the most specific host.
"""

from __future__ import annotations

from clients.kube.fields import namespace_of, spec_of
from clients.mesh.why.objects import Json
from clients.mesh.why.services import ServiceView, service_named
from clients.mesh.why.view import PolicyView

_EXACT = 1 << 16
"""More specific than any wildcard."""


def rule_of(view: PolicyView, service: ServiceView, caller: str) -> Json | None:
    """The rule in force; None where there is none, or where it is not known which.

    Args:
        caller: namespace of the workload that sends.
    """
    for namespace in (caller, service.namespace, view.root):
        ranked = [
            (rank, body)
            for body in view.destination_rules
            if namespace_of(body) == namespace and _is_visible(body, caller) and (rank := _rank(body, service))
        ]
        if ranked:
            first = max(rank for rank, _ in ranked)
            best = [body for rank, body in ranked if rank == first]
            selective = any(spec_of(body).get("workloadSelector") for _, body in ranked)
            return best[0] if len(best) == 1 and not selective else None
    return None


def _is_visible(body: Json, caller: str) -> bool:
    """Whether the rule is exported to the caller's namespace, or is of it."""
    exported = spec_of(body).get("exportTo") or ["*"]
    return namespace_of(body) == caller or "*" in exported or caller in exported


def _rank(body: Json, service: ServiceView) -> int:
    """How specific the rule's host is, where it means the Service; 0 where it does not."""
    host = str(spec_of(body).get("host") or "")
    if not host.startswith("*"):
        return _EXACT if service_named(host, namespace_of(body), [service]) else 0
    return len(host) if f"{service.name}.{service.namespace}.svc.cluster.local".endswith(host[1:]) else 0
