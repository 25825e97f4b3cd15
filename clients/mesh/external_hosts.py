"""Hosts outside the mesh and the cluster, and the requests that their own log shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from clients.mesh.access_logs.accesslog import belongs, canonical, stem
from clients.model.addresses import canonical as as_address
from clients.model.addresses import host_of, joined
from clients.model.errors import InfrastructureError


@dataclass(frozen=True)
class ArrivalEntry:
    """One request as the external server saw it. Addresses are `ip:port`, or `[ip]:port` for IPv6.

    Attributes:
        peer: the other end of its connection, as the socket has it, not as a proxy states it.
        local: its own end.
        sni: server name in the TLS hello; empty without TLS.
        client_cert: the client showed a certificate.
        at: when it came, by the server's clock in seconds since 1970; 0 where its log does not say.
    """

    request_id: str
    peer: str
    local: str
    tls: bool
    sni: str
    client_cert: bool
    host: str
    method: str
    path: str
    at: float = 0.0


@dataclass(frozen=True)
class ExternalHosts:
    """The external hosts of the target.

    Attributes:
        hosts: name to address; an empty address where it is not known. `open.example.com` is another address of
            example.com, which the network lets every pod reach.
        roots: certificates (PEM) by which the hosts' own are to be verified.
        log: the servers' own log, one JSON object a line, written before the answer; None where it cannot be read.
        more: further addresses of some hosts.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    roots: str = ""
    log: Path | None = None
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
        lines = self._lines()
        # most lines are of other requests: the id is looked for before the line is parsed
        stems = [stem(one) for one in ids]
        return [_entry(data) for line in lines if any(one in line for one in stems) and (data := _request(line, ids))]

    def of_peers(self, peers: Set[str]) -> list[ArrivalEntry]:
        """What the servers logged of all requests from these canonical addresses, in order, with their ids.

        Raises:
            InfrastructureError: there is no log, or it cannot be read.
        """
        written = [form for peer in peers for form in ((peer,) if ":" in peer else (peer, f"::ffff:{peer}"))]
        begins = [f'"{joined(form, "")}' for form in written]  # a socket of both families shows IPv4 in IPv6's form
        found = (_parsed(line) for line in self._lines() if any(one in line for one in begins))
        return [
            _entry({**data, "request_id": canonical(str(data.get("request_id") or ""))})
            for data in found
            if data.get("event") == "request" and host_of(str(data.get("peer"))) in peers
        ]

    def _lines(self) -> list[str]:
        if self.log is None:
            raise InfrastructureError("the log of the external hosts is not available")
        try:
            return self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise InfrastructureError(f"the log of the external hosts cannot be read: {error.strerror}") from None


def _parsed(line: str) -> dict[str, Any]:
    """A line's fields; none of one that is torn, because it is being written."""
    try:
        data = json.loads(line)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _request(line: str, ids: set[str]) -> dict[str, Any] | None:
    data = _parsed(line)
    own = belongs(str(data.get("request_id")), str(data.get("user_agent")), ids)
    return {**data, "request_id": own} if own else None


def _entry(data: dict[str, Any]) -> ArrivalEntry:
    return ArrivalEntry(
        request_id=data["request_id"],
        peer=str(data.get("peer", "")),
        local=str(data.get("local", "")),
        tls=bool(data.get("tls")),
        sni=str(data.get("sni") or ""),
        client_cert=bool(data.get("client_cert")),
        host=str(data.get("host", "")),
        method=str(data.get("method", "")),
        path=str(data.get("path", "")),
        at=_seconds(str(data.get("time", ""))),
    )


def _seconds(stated: str) -> float:
    with suppress(ValueError):
        return datetime.fromisoformat(stated).timestamp()
    return 0.0
