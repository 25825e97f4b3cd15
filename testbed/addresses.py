"""Addresses of the testbed: one small link to this machine for the API server; all others exist in the node only."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import ClusterError

Network = ipaddress.IPv4Network

BENCHMARKING = ipaddress.ip_network("198.18.0.0/15")
"""RFC 2544's range for tests between devices: never routed on the internet."""

_EVERYTHING = "0.0.0.0"  # noqa: S104 - the mask of the default route
_REJECT = 0x0200
"""RTF_REJECT of route flags: an unreachable route reserves an address but does not use it."""

PODS = ipaddress.ip_network("10.244.0.0/16")
SERVICES = ipaddress.ip_network("10.96.0.0/16")
POD_POOL = Network("10.244.0.0/17")
"""Addresses of pods."""
GATEWAY_POOL = Network("10.244.240.0/20")
"""Addresses of pods that ask for the pool `gateway`, and of no other: the packet filter lets only these pods out."""
EXTERNAL = ipaddress.ip_network("198.51.100.0/24")
"""Documentation range (RFC 5737) for simulated external hosts; it exists inside the node only."""


@dataclass(frozen=True)
class Link:
    """The network between this machine and the node: one address each, and the upper half for load balancers."""

    network: Network

    @property
    def host(self) -> str:
        """The address of this machine's end."""
        return str(self.network[1])

    @property
    def node(self) -> str:
        """The node's end, where the API server listens."""
        return str(self.network[2])

    def node_address(self, number: int) -> str:
        """The address of a node, by its number from 0; the first is `node`."""
        return str(self.network[2 + number])

    @property
    def router(self) -> str:
        """The address of the network between several nodes, which routes."""
        return str(self.network[126])

    @property
    def balancers(self) -> Network:
        """Addresses that Services of type LoadBalancer get, one each; the node answers for all of them."""
        return list(self.network.subnets())[1]


def routed(table: Path = Path("/proc/net/route")) -> list[Network]:
    """Networks that this machine routes, without the default route."""
    networks: list[Network] = []
    for line in table.read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            address, mask = (socket.inet_ntoa(struct.pack("<L", int(fields[i], 16))) for i in (1, 7))
            if mask != _EVERYTHING and not int(fields[3], 16) & _REJECT:
                networks.append(Network(f"{address}/{mask}"))
    return networks


def choose_link(taken: Iterable[Network]) -> Link:
    """The first /24 of the benchmarking range that this machine does not route already.

    Raises:
        ClusterError: all of the range is routed.
    """
    routes = list(taken)
    for candidate in (Network(f"198.{18 + second}.{third}.0/24") for second in (0, 1) for third in range(0, 256, 8)):
        if not any(candidate.overlaps(route) for route in routes):
            return Link(candidate)
    raise ClusterError(
        f"all of {BENCHMARKING} is routed on this machine already", "remove one of those routes (ip route)"
    )
