"""Which families of addresses a cluster has, IPv4 and IPv6."""

from __future__ import annotations

from dataclasses import dataclass

from clients.kube.cluster import Cluster
from clients.model.errors import ClusterError

_SYSTEM = "kube-system"


@dataclass(frozen=True)
class Families:
    """IPv6 on a cluster; IPv4 is taken for granted unless it comes second, or not at all.

    Attributes:
        ipv6_first: Services that state no family, as those of a run, have addresses of IPv6.
        ipv6: pods may have addresses of IPv6.
    """

    ipv6_first: bool = False
    ipv6: bool = False


def of(cluster: Cluster) -> Families:
    """Those of a cluster, by the API's own Service and by pods that are there; IPv4 alone where these are not known."""
    try:
        service = cluster.get("v1", "Service", "kubernetes", "default") or {}
        first = ":" in str((service.get("spec") or {}).get("clusterIP") or "")
        pods = [] if first else cluster.pods(_SYSTEM)
    except ClusterError:
        return Families()
    return Families(first, first or any(":" in address for pod in pods for address in pod.addresses))
