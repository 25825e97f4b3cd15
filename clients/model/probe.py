"""A workload, and the request that it sends: data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clients.model.addresses import host_of
from clients.model.decision import Proxy
from clients.model.redact import redact
from clients.model.request_record import RequestRecord
from clients.model.token import BEARER, Token

REQUEST_ID = "{id}"
"""In the body of a probe, replaced by the id of the request: by it logs show what has no header."""
TLS_VERSIONS = ("1.0", "1.1", "1.2")
"""What `Probe.tls_max` may be."""


@dataclass(frozen=True)
class Workload:
    """A workload by the names of the document; the run's prefix is added when it is looked up.

    Attributes:
        namespace: as the document names it (`mtls-client`).
        app: value of the `app` label.
        container: the container that runs the command.
    """

    namespace: str
    app: str
    container: str

    def get(self, url: str, *, token: str = "", headers: tuple[tuple[str, str], ...] = (), **how: Any) -> Probe:
        """A GET request from this workload; `how` are further fields of `Probe`."""
        return Probe(self, url, token=token, headers=headers, **how)

    def head(self, url: str, **how: Any) -> Probe:
        """A HEAD request from this workload."""
        return Probe(self, url, method="HEAD", **how)

    def post(self, url: str, **how: Any) -> Probe:
        """A POST request from this workload, with an empty body unless `body` states one."""
        return Probe(self, url, method="POST", **how)

    def tcp(self, address: str, body: str, **how: Any) -> Probe:
        """Raw bytes from this workload to an address (`ledger.mtls-service:9000`); they must end with CRLF."""
        return Probe(self, f"tcp://{address}", body=body, **how)

    def udp(self, address: str, **how: Any) -> Probe:
        """A datagram from this workload to an address (`example.com:443`), which asks for one in return."""
        return Probe(self, f"udp://{address}", **how)


class Dial(StrEnum):
    """At whose address a request is sent. Each of several pods is dialled in turn."""

    HOST = ""
    """The host of the URL: a Service, also a headless one, or an external host."""
    POD = "a pod's address"
    """A ready pod behind the Service that the URL names; its address replaces the host, in the Host header as well."""
    POD_WITH_HOST = "a pod's address with the Service's Host"
    """A ready pod behind the Service, whose name stays in the Host header and in the TLS hello."""


@dataclass(frozen=True)
class Probe:
    """One request. `url` uses the document's host names (`http://httpbin.mtls-service:8000/ip`).

    Attributes:
        url: `http(s)://`; from outside also `grpc(s)://` and `ws(s)://`; `tcp://host:port` sends `body` as raw bytes,
            and `udp://host:port`, from a pod only, a read request of TFTP (RFC 1350), whose file is the request's id.
        method: its bytes as they are sent: `post` is not `POST`.
        http2: by HTTP/2: over TLS by ALPN, else by prior knowledge. An answer of another version does not match.
        body: of the request; raw bytes must end with CRLF. `{id}` in it is replaced by the request's id.
        token: kind of bearer token to send (`valid`, `expired`, … see `clients.identity.tokens`); empty for none.
        tokens: further tokens, each with its issuer, its claims and its place.
        resolve: `host:port` to dial in place of the URL's, whose name stays in the Host header and in the TLS hello;
            `<gateway>:443` is the egress gateway's Service.
        insecure: the server's certificate is not verified.
        timeout_s: seconds for the whole request; 0 for the run's usual limit.
        token_as: form of the token, which replaces `{}`: `Header: value`, or `?name=value` for a query parameter.
        dial: at whose address: that of the URL's host, or of a pod behind it; the port is then the container's.
        behind: Service that a gateway routes the request to, where the host of the URL is not itself a Service.
        workload: `app` label of the pods that must answer, where the Service's name does not begin with it.
        answered_by: the proxy that answers by itself, where no application has to: a CORS preflight, readiness.
        impostor_of: workload whose identity the client claims in the TLS handshake, by a certificate of an authority
            that exists for the run only and that no mesh knows; its pods must have a proxy, and so that identity.
        impostor_domain: trust domain of that identity in place of the mesh's own.
        tls_max: newest version of TLS that the client offers: `1.0`, `1.1` or `1.2`; empty for all that it knows.
    """

    source: Workload
    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    token: str = ""
    resolve: str = ""
    insecure: bool = False
    timeout_s: float = 0.0
    token_as: str = BEARER
    behind: str = ""
    workload: str = ""
    http2: bool = False
    body: str = ""
    tokens: tuple[Token, ...] = ()
    dial: Dial = Dial.HOST
    answered_by: Proxy | None = None
    impostor_of: Workload | None = None
    impostor_domain: str = ""
    tls_max: str = ""

    @property
    def all_tokens(self) -> tuple[Token, ...]:
        """All tokens that it sends, in order."""
        own = (Token(kind=self.token, place=self.token_as),) if self.token else ()
        return own + self.tokens

    @property
    def token_words(self) -> str:
        """Its tokens by kind, issuer and claims, and by place unless that is the usual one; empty for none."""
        return "; ".join(one.words if one.place == BEARER else f"{one.words} in {one.where}" for one in self.all_tokens)

    @property
    def protocol(self) -> str:
        """`HTTP/1.1`, `HTTP/2`, or `TCP` or `UDP` for what is no HTTP."""
        scheme = self.url.partition("://")[0]
        if scheme in ("tcp", "udp"):
            return scheme.upper()
        return "HTTP/2" if self.http2 or scheme.startswith("grpc") else "HTTP/1.1"

    @property
    def is_http(self) -> bool:
        """Whether it has a method, headers and a path."""
        return self.protocol.startswith("HTTP")

    @property
    def words(self) -> str:
        """Method, URL and what is unusual: `post http://shop.example/ by HTTP/2 with body '{}'`; tokens excepted."""
        what = f"{self.method} {self.url}" if self.is_http else self.url
        what += f" at {self.dial or self.resolve}" if self.dial or self.resolve else ""
        version = f" by {self.protocol}" if self.http2 else ""
        version += f" with TLS {self.tls_max} at most" if self.tls_max else ""
        version += f" as an impostor of {self._impostor}" if self.impostor_of else ""
        return redact(f"{what}{version}" + (f" with body {self.body!r}" if self.body else ""))

    @property
    def destination(self) -> str:
        """The Service behind the URL, or its host without the port, for the truth table: `httpbin.mtls-service`."""
        if self.behind:
            return self.behind
        return host_of(self.url.split("://", 1)[-1].split("/", 1)[0])

    @property
    def _impostor(self) -> str:
        """Namespace and name of the workload that the client claims to be, and the trust domain if it is another."""
        if self.impostor_of is None:
            return ""
        of = f"{self.impostor_of.namespace}/{self.impostor_of.app}"
        return f"{of} in {self.impostor_domain}" if self.impostor_domain else of

    @property
    def record(self) -> RequestRecord:
        """The request as evidence keeps it: the path exactly as written, a token by its kind alone."""
        path = self.url.split("://", 1)[-1].partition("/")[2]
        headers = tuple((name, redact(f"{name}: {value}").removeprefix(f"{name}: ")) for name, value in self.headers)
        return RequestRecord(
            method=self.method if self.is_http else "",
            url=self.url,
            path=f"/{path}",
            token=self.token_words,
            dial=self.dial or self.resolve,
            protocol=self.protocol,
            headers=headers,
            body=redact(self.body),
            impostor_of=self._impostor,
            tls_max=self.tls_max,
        )
