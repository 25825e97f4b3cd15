"""Hosts outside the mesh and the cluster, and the requests that their own log shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from clients.mesh.host_log import ArrivalEntry, HostLog
from clients.model.addresses import canonical as as_address
from clients.model.errors import InfrastructureError


@dataclass(frozen=True)
class ExternalHosts:
    """The external hosts of the target.

    Attributes:
        hosts: name to address; an empty address where it is not known. `open.example.com` is another address of
            example.com, which the network lets every pod reach.
        roots: certificates (PEM) by which the hosts' own are to be verified.
        log: the servers' own log; None where it cannot be read.
        more: further addresses of some hosts.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    roots: str = ""
    log: HostLog | None = None
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def knows(self, host: str) -> bool:
        """Whether a name or an address is that of an external host."""
        return host in self.hosts or as_address(host) in map(as_address, self.hosts.values())

    def addresses(self, host: str) -> list[str]:
        """Every address of a host that is known, canonical (`clients.model.addresses`)."""
        known = [address for name in (host, f"open.{host}") if (address := self.hosts.get(name, ""))]
        return [as_address(one) for one in (*known, *self.more.get(host, ()))]

    def arrived(self, ids: set[str]) -> list[ArrivalEntry]:
        """What the servers logged of these requests, in order.

        Raises:
            InfrastructureError: there is no log, or it cannot be read.
        """
        return self._own_log.of_requests(ids)

    def of_peers(self, peers: Set[str]) -> list[ArrivalEntry]:
        """What the servers logged of all requests from these canonical addresses, in order, with their ids.

        Raises:
            InfrastructureError: there is no log, or it cannot be read.
        """
        return self._own_log.of_peers(peers)

    @property
    def _own_log(self) -> HostLog:
        if self.log is None:
            raise InfrastructureError("the log of the external hosts is not available")
        return self.log
