"""What a suite states: which workload sends which request, and which outcome it must have. Data only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from clients.model.decision import Decision
from clients.model.decision import Proxy as Proxy
from clients.model.errors import InfrastructureError
from clients.model.expect import Expectation
from clients.model.redact import redact
from clients.model.request_record import RequestRecord
from clients.model.token import BEARER, Token

REQUEST_ID = "{id}"
"""In the body of a probe, replaced by the id of the request: by it logs show what has no header."""


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
        url: `http(s)://`; from outside also `grpc(s)://` and `ws(s)://`; `tcp://host:port` sends `body` as raw bytes.
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
        """`HTTP/1.1`, `HTTP/2`, or `TCP` for raw bytes."""
        scheme = self.url.partition("://")[0]
        if scheme == "tcp":
            return "TCP"
        return "HTTP/2" if self.http2 or scheme.startswith("grpc") else "HTTP/1.1"

    @property
    def words(self) -> str:
        """Method, URL and what is unusual: `post http://shop.example/ by HTTP/2 with body '{}'`; tokens excepted."""
        what = self.url if self.protocol == "TCP" else f"{self.method} {self.url}"
        what += f" at {self.dial or self.resolve}" if self.dial or self.resolve else ""
        version = f" by {self.protocol}" if self.http2 else ""
        return redact(f"{what}{version}" + (f" with body {self.body!r}" if self.body else ""))

    @property
    def destination(self) -> str:
        """The Service behind the URL, or its host without the port, for the truth table: `httpbin.mtls-service`."""
        if self.behind:
            return self.behind
        return self.url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0]

    @property
    def record(self) -> RequestRecord:
        """The request as evidence keeps it: the path exactly as written, a token by its kind alone."""
        path = self.url.split("://", 1)[-1].partition("/")[2]
        headers = tuple((name, redact(f"{name}: {value}").removeprefix(f"{name}: ")) for name, value in self.headers)
        return RequestRecord(
            method="" if self.protocol == "TCP" else self.method,
            url=self.url,
            path=f"/{path}",
            token=self.token_words,
            dial=self.dial or self.resolve,
            protocol=self.protocol,
            headers=headers,
            body=redact(self.body),
        )


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


@dataclass(frozen=True)
class Case:
    """One parametrised execution of a control.

    Attributes:
        control: id from the catalogue (`LAB-MTLS-03`); title, polarity and twin come from there.
        probe: the request.
        expect: the pinned outcome in the stage's state.
        expect_of: pairs of an exact version of Envoy (`1.37.0`) and the outcome that is pinned in place of `expect`
            for a client whose proxy, or whose gateway, has that version, because that release behaves differently.
        before: the outcome before the stage's change; None where the stage changes nothing for this request.
        twin: the probe of the opposite polarity, run in the same state through the same path; every denial has one.
        twin_expect: its outcome.
        logged: what proxies must have logged as well.
        arrival: what the external server must have seen; None where its log is not read.
        repeat: least number of requests.
        decided: how a refusal must have been made, where that does not follow from its outcome and from the policies.
        needs: capabilities in addition to those of the control and of the stage.
        substitutes: pairs of a capability that the catalogue names and another one with which this case proves as much.
        step: name of the stage's step in which the case is proven; empty for the state before the first step.
        holds_s: the outcome must hold for at least this long, in seconds, where that is longer than the run's window.
        variant: distinguishes several cases of one control (`expired`); empty where there is one.
    """

    control: str
    probe: Probe
    expect: Expectation
    before: Expectation | None = None
    twin: Probe | None = None
    twin_expect: Expectation | None = None
    logged: tuple[AccessLogExpectation, ...] = ()
    arrival: ServerLogExpectation | None = None
    repeat: int = 0
    needs: frozenset[str] = frozenset()
    substitutes: tuple[tuple[str, str], ...] = ()
    variant: str = ""
    holds_s: float = 0.0
    step: str = ""
    expect_of: tuple[tuple[str, Expectation], ...] = ()
    decided: Decision | None = None

    def behind_proxies(self, versions: Iterable[str]) -> Case:
        """The case with the outcome that is pinned for proxies of these versions.

        Raises:
            InfrastructureError: the proxies have several versions, for which different outcomes are pinned.
        """
        pinned = {version: dict(self.expect_of).get(version, self.expect) for version in versions}
        if len(set(pinned.values())) > 1:
            several = ", ".join(sorted(pinned))
            raise InfrastructureError(f"the proxies are of several versions, which answer differently: {several}")
        return replace(self, expect=next(iter(pinned.values()), self.expect))

    @property
    def id(self) -> str:
        """`LAB-JWT-04[expired]`: unique in a run."""
        return f"{self.control}[{self.variant}]" if self.variant else self.control

    @property
    def refuses(self) -> bool:
        """Whether the request must not reach the backend. With an `arrival`, the external server refused it."""
        return self.arrival is None and self.expect.refuses
