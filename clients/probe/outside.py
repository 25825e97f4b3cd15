"""The client outside the cluster: this machine, which reaches a gateway at the address of its Service.

It speaks by `requests`; its outcomes have the exit codes that curl would give, as if it had sent them. URLs of other
schemes are for other speakers with the same outcomes: `grpc(s)` is a gRPC call, `ws(s)` a WebSocket.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from clients.kube.cluster import Cluster
from clients.model.case import Workload
from clients.model.errors import ClusterError, InfrastructureError
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, grpc, websocket
from clients.probe.curl import MAX_BODY_BYTES, Request
from clients.probe.failures import failed

SIDE_BY_SIDE = 16
"""Requests that are under way at once, where they may take their whole time."""
_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443, "ws": 80, "wss": 443}


NOWHERE = Workload("", "", "")


@dataclass(frozen=True)
class OutsideClient(Workload):
    """Whoever is not in the cluster. What it sends enters by a gateway, whatever host the URL names.

    Attributes:
        gateway: workload of the gateway, or whatever else is exposed.
        service: name of its Service; empty where that is the name of its app, or the user's settings say where it is.
    """

    gateway: Workload = NOWHERE
    service: str = ""


def through(gateway: Workload, service: str = "") -> OutsideClient:
    """The client outside the cluster that enters by this gateway; a `service` is asked for its address in any case."""
    return OutsideClient("outside", "client", "requests", gateway, service)


def address(cluster: Cluster, service: str, namespace: str, port: int, *, given: str = "") -> tuple[str, int]:
    """Where a Service is reached from outside: its load balancer's address, or a node's with the Service's node port.

    Args:
        given: address to use instead, by the user's settings; the Service's own port is used with it.

    Raises:
        InfrastructureError: the Service has no such address (yet), or does not exist.
    """
    if given:
        return given, port
    try:
        found = cluster.get("v1", "Service", service, namespace)
        if found is None:
            raise InfrastructureError(f"service {namespace}/{service} does not exist")
        for ingress in found.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
            return str(ingress.get("ip") or ingress.get("hostname")), port
        node_port = next((p.get("nodePort") for p in found["spec"]["ports"] if p["port"] == port), None)
        node = _node_address(cluster.objects("v1", "Node")) if node_port else ""
    except ClusterError as error:
        raise InfrastructureError(error.message, error.hint) from None
    if not node_port or not node:
        raise InfrastructureError(f"service {namespace}/{service} has no address outside the cluster for port {port}")
    return node, int(node_port)


def send(
    requests_: Sequence[Request], to: tuple[str, int], *, roots: str = "", parallel: bool = False
) -> list[Outcome]:
    """One outcome per request, in order, each on a fresh connection to `to`. Certificates must be of `roots` (PEM)."""

    def one(request: Request) -> Outcome:
        return _SPEAKERS.get(_scheme(request), _one)(request, to, roots)

    if not parallel:
        return [one(request) for request in requests_]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(one, requests_))


def command(request: Request) -> str:
    """The request as a command that a person could repeat. Not redacted."""
    return _COMMANDS.get(_scheme(request), curl.command)(request)


def _scheme(request: Request) -> str:
    return request.url.partition("://")[0]


_SPEAKERS: Mapping[str, Callable[[Request, tuple[str, int], str], Outcome]] = {
    **dict.fromkeys(("grpc", "grpcs"), grpc.send),
    **dict.fromkeys(("ws", "wss"), websocket.send),
}
_COMMANDS: Mapping[str, Callable[[Request], str]] = {
    **dict.fromkeys(("grpc", "grpcs"), grpc.command),
    **dict.fromkeys(("ws", "wss"), websocket.command),
}


def port_of(url: str) -> int:
    """Port that the URL means."""
    parts = urlsplit(url)
    return parts.port or _PORTS[parts.scheme]


def own_address(server: str) -> str:
    """Address by which this machine reaches the API server at this URL; nothing is sent to find out.

    Empty where it cannot be told (a server behind a proxy, by IPv6 only): few manifests ask for it.
    """
    parts = urlsplit(server)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


class _AsWritten(HTTPAdapter):
    """Sends a request target as it was written: `requests` and urllib3 would tidy up what a control is about."""

    def __init__(self, target: str, tls: dict[str, Any]) -> None:
        self._target = target
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        """Connections whose certificate must be for the URL's host, although its gateway's address is dialled."""
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._tls)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._target),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._target),
        }


def _pool(pool: type[Any], connection: type[Any], target: str) -> type[Any]:
    """The kind of pool whose connections send `target` in place of whatever they are given."""

    def putrequest(self: Any, method: str, _url: str, **options: Any) -> None:
        connection.putrequest(self, method, target, **options)

    raw = type(f"Raw{connection.__name__}", (connection,), {"putrequest": putrequest})
    return type(f"Raw{pool.__name__}", (pool,), {"ConnectionCls": raw})


def _one(request: Request, to: tuple[str, int], roots: str) -> Outcome:
    scheme, _, rest = request.url.partition("://")
    authority = rest.split("/", 1)[0].split("?", 1)[0]
    target = rest[len(authority) :] or "/"
    name = authority.rsplit(":", 1)[0]
    began = time.monotonic()
    with requests.Session() as session:
        session.trust_env = False  # no proxy, no netrc
        tls = {"server_hostname": name, "assert_hostname": name} if scheme == "https" else {}
        session.mount(f"{scheme}://", _AsWritten(target if target.startswith("/") else f"/{target}", tls))
        headers = {
            "Host": authority,
            "User-Agent": request.user_agent,
            "x-request-id": request.request_id,
            "Connection": "close",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **dict(request.headers),
        }
        prepared = requests.Request(request.method, f"{scheme}://{to[0]}:{to[1]}/", headers=headers).prepare()
        try:
            with (
                _Roots(roots) as verify,
                session.send(
                    prepared,
                    timeout=(request.connect_timeout_s, request.timeout_s),
                    allow_redirects=False,
                    stream=True,
                    verify=verify,
                ) as response,
            ):
                body = response.raw.read(MAX_BODY_BYTES, decode_content=True)
                return Outcome(
                    kind=OutcomeKind.STATUS,
                    request_id=request.request_id,
                    status=response.status_code,
                    exit_code=0,
                    body=body.decode(errors="replace"),
                    headers={key.lower(): tuple(response.raw.headers.getlist(key)) for key in response.raw.headers},
                    remote_address=f"{to[0]}:{to[1]}",
                    total_s=time.monotonic() - began,
                )
        except Exception as error:
            return failed(request, error, f"{to[0]}:{to[1]}", time.monotonic() - began)


class _Roots:
    """A file with the certificates to trust, as `requests` wants one, for as long as it is needed."""

    def __init__(self, pem: str) -> None:
        self._pem = pem

    def __enter__(self) -> str | bool:
        if not self._pem:
            return True
        self._file = NamedTemporaryFile("w", suffix=".pem")
        self._file.write(self._pem)
        self._file.flush()
        return self._file.name

    def __exit__(self, *_: object) -> None:
        if self._pem:
            self._file.close()


def _node_address(nodes: Sequence[dict[str, Any]]) -> str:
    """Outer address of a node, or its inner one: what a node port is reached at."""
    found = {a["type"]: a["address"] for node in nodes for a in node.get("status", {}).get("addresses", ())}
    return str(found.get("ExternalIP") or found.get("InternalIP") or "")
