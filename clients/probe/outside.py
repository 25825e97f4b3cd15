"""The client outside the cluster: this machine, which reaches a gateway at the address of its Service.

It is curl as well (`clients.probe.libcurl`), so an exit code means the same inside and outside. The scheme of a URL
decides what is sent: `http(s)` is a request, `grpc(s)` a gRPC call, `ws(s)` a WebSocket, `tcp` raw bytes.
"""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from urllib.parse import urlsplit

from clients.model.addresses import DEFAULT_PORTS, canonical
from clients.model.outcome import Outcome
from clients.model.probe import Workload
from clients.probe import curl, grpc, libcurl, raw, websocket
from clients.probe.request import Request

SIDE_BY_SIDE = 16
"""Requests that are sent in parallel, where each may take its whole time limit."""


NOWHERE = Workload("", "", "")
OUTSIDE = "outside"
"""Stands in place of a namespace."""


@dataclass(frozen=True)
class OutsideClient(Workload):
    """A client that is not in the cluster. Its requests enter by a gateway, whatever host the URL names.

    Attributes:
        gateway: workload of the gateway, or another one that is exposed.
        service: name of its Service; empty where it is the name of the app, or the settings give its address.
    """

    gateway: Workload = NOWHERE
    service: str = ""


def through(gateway: Workload, service: str = "") -> OutsideClient:
    """The client outside the cluster that enters by this gateway, with a `service` always at its address."""
    return OutsideClient(OUTSIDE, "client", "curl", gateway, service)


def send(
    requests_: Sequence[Request], to: tuple[str, int], *, roots: str = "", parallel: bool = False
) -> list[Outcome]:
    """One outcome per request, in order, each on a fresh connection to `to`; `roots` (PEM) sign certificates."""

    def one(request: Request) -> Outcome:
        return _SENDERS.get(_scheme(request), libcurl.send)(with_port(request), to, roots)

    if not parallel:
        return [one(request) for request in requests_]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(one, requests_))


def command(request: Request) -> str:
    """The request as a command that a person could repeat, with a foreign certificate of its own. Not redacted."""
    return _with_certificate(request) + _COMMANDS.get(_scheme(request), curl.command)(request)


def _with_certificate(request: Request) -> str:
    """How a certificate is made that no authority of the mesh has signed; empty where none is shown."""
    if not request.certificate:
        return ""
    words = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=foreign -keyout foreign.key -out foreign.pem -addext"
    return shlex.join([*words.split(), f"subjectAltName=URI:{request.certificate.identity}"]) + " && "


def _scheme(request: Request) -> str:
    return request.url.partition("://")[0]


def with_port(request: Request) -> Request:
    """The request with a Host header, where its URL writes the scheme's own port: curl would drop it from the host."""
    scheme, _, rest = request.url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    stated = any(name.lower() == "host" for name, _ in request.headers)
    if stated or not authority.endswith(f":{DEFAULT_PORTS.get(scheme)}"):
        return request
    return replace(request, headers=(("Host", authority), *request.headers))


_SENDERS: Mapping[str, Callable[[Request, tuple[str, int], str], Outcome]] = {
    **dict.fromkeys(("grpc", "grpcs"), grpc.send),
    **dict.fromkeys(("ws", "wss"), websocket.send),
    "tcp": raw.send,
}
SCHEMES = frozenset({"http", "https", *_SENDERS})
"""Of what this client can send."""
_COMMANDS: Mapping[str, Callable[[Request], str]] = {
    **dict.fromkeys(("grpc", "grpcs"), grpc.command),
    **dict.fromkeys(("ws", "wss"), websocket.command),
}


def port_of(url: str) -> int:
    """Port of the URL, or the default one of its scheme."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme]


def own_address(*hosts: str) -> str:
    """Own address of this machine on its route to the first of these hosts that has one; nothing is sent to find it.

    By IPv6 only where none has one by IPv4. Empty where it is not known: few manifests need it.
    """
    for family, host in product((socket.AF_INET, socket.AF_INET6), hosts):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, DEFAULT_PORTS["http"]))
            return canonical(str(probe.getsockname()[0]))
    return ""
