"""What the log of a proxy, and that of an external server, must show of a case's requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clients.model.decision import Proxy
from clients.model.probe import Workload


@dataclass(frozen=True)
class AccessLogExpectation:
    r"""What a proxy must have logged about the case's requests.

    An entry belongs to a request by its id; where there is none (TCP), by the addresses of its connection. The texts
    are regular expressions over the whole field, by the documents' names; empty for anything, `-` for nothing.
    `<gateway>` stands for the addresses of the gateway's pods, `<http-port>` and `<tls-port>` for their ports,
    `<example.com>` for the address of an external host.

    Attributes:
        flags: Envoy's response flags, one of which must be there; empty for any.
        details: text that the details of the response, of the connection's end or of its failure contain.
        cluster: the upstream cluster, for instance `outbound\|80\|\|example.com`.
        upstream: address that the request was sent on to.
        status: of the response; 0 for a TCP connection.
        protocol: `HTTP/1.1`, `HTTP/2`.
        local: address at which the proxy took the connection.
        tcp: the request is a connection to this proxy, whose content it does not see.
        absent: no entry at all, in a log that shows a later request of the twin.
    """

    proxy: Proxy
    flags: frozenset[str] = frozenset()
    details: str = ""
    cluster: str = ""
    upstream: str = ""
    sni: str = ""
    route: str = ""
    authority: str = ""
    protocol: str = ""
    local: str = ""
    status: int | None = None
    tcp: bool = False
    absent: bool = False


@dataclass(frozen=True)
class ServerLogExpectation:
    """What an external server must have seen of the case's requests, by its own log.

    Attributes:
        peer: the workload, or the gateway, whose pod opened the connection to the server.
        server: external host that answers, where that is not the one that the URL names: open to a foreign server.
        tls: over TLS; `sni` is then the name in its hello.
        client_cert: whether the client showed a certificate.
    """

    peer: Workload | Literal[Proxy.GATEWAY]
    tls: bool = False
    sni: str = ""
    client_cert: bool = False
    server: str = ""
