"""One request on the wire, whichever program sends it."""

from __future__ import annotations

from dataclasses import dataclass

from clients.model.client_certificate import ClientCertificate
from clients.probe import answer

WITH_BODY = ("POST", "PUT", "PATCH")
"""Methods that are sent with a body of no bytes."""


@dataclass(frozen=True)
class Request:
    """One request on the wire, with the run's own names. Times in seconds.

    Attributes:
        method: its bytes as they are sent (`post` is not `POST`).
        url: of `http(s)`; `tcp://host:port` sends the body alone, as raw bytes that end with CRLF; `udp://host:port`
            the request's id, in a datagram.
        headers: (name, value) pairs in addition to `x-request-id` and the user agent; tokens belong here.
        request_id: sent as `x-request-id`; unique in the batch.
        user_agent: the whole value, for instance `meshproof/LAB-MTLS-03 mp-r1-0f3a`; empty for that of the program.
        timeout_s: for the whole transfer (exit 28).
        connect_timeout_s: for name and connection (exit 28 as well).
        connect_to: `host:port` to dial in place of the URL's; empty for the URL's own.
        insecure: accept any certificate.
        local_port: source port of the connection; 0 lets the system choose.
        http2: by HTTP/2: over TLS by ALPN, else by prior knowledge (RFC 9113, section 3.3).
        body: of the request, as UTF-8; without one, POST, PUT and PATCH have one of no bytes.
        ordinary: it is sent as a user's curl would send it (see `clients.probe.ordinary`). Its connection is kept open,
            so that it needs a port of its own, or it would be sent on that of another one.
        certificate: of the client, over TLS; None for none.
        continues: it is sent on the connection of the request before it in its batch, where the server has left that
            open. Both are ordinary, and to the same host and port.
        tls_max: newest version of TLS that is offered: `1.0`, `1.1` or `1.2`; empty for all.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    request_id: str
    user_agent: str
    timeout_s: float = 5.0
    connect_timeout_s: float = 2.0
    connect_to: str = ""
    insecure: bool = False
    local_port: int = 0
    http2: bool = False
    body: str = ""
    ordinary: bool = False
    certificate: ClientCertificate | None = None
    tls_max: str = ""
    continues: bool = False

    @property
    def raw(self) -> bool:
        """Whether it is raw bytes, of no protocol."""
        return self.url.startswith(f"{answer.RAW}://")

    @property
    def datagram(self) -> bool:
        """Whether it is sent by UDP."""
        return self.url.startswith(f"{answer.DATAGRAM}://")

    @property
    def is_http(self) -> bool:
        """Whether it has a method, headers and a status."""
        return not (self.raw or self.datagram)

    @property
    def has_body(self) -> bool:
        """Whether it is sent with a body, even one of no bytes."""
        return bool(self.body) or self.method in WITH_BODY
