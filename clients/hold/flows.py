"""The flows of held traffic: which requests go from where to where, how often, and what each must come to.

The traffic generator (`testbed/modules/traffic`) reads the same list, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

ANSWERED = "answered"
"""Outcome: the server's own answer to this very request came."""
ARRIVED = "arrived"
"""Outcome at a server: a request of a denied flow got there."""
SERVER = "server"
"""`by` of the servers' own accounts."""
SENDER, STRANGER, OUTSIDER = "sender", "stranger", "outsider"
"""Clients: one that policies allow, one in the mesh that they do not allow, and one outside the mesh."""

_WEB, _CALLS, _LINES = (f"server.hold-server.svc.cluster.local:{port}" for port in (8080, 9090, 9000))
_INGRESS, _EGRESS = "ingress.hold-gateway.svc.cluster.local:80", "outside.hold-outside.svc.cluster.local:8080"
_HOST = "hold.meshproof.test"
TLS_NAMES = tuple(f"{name}.hold-gateway.svc.cluster.local" for name in ("secure", "passed", "refused"))
"""Names for which a client's sidecar begins TLS; the ingress gateway has a certificate for them."""
_SECURE, _PASSED, _REFUSED = (f"{name}:80" for name in TLS_NAMES)
_FORBIDDEN, _CALL_FORBIDDEN, _CLOSED = "status 403", "grpc PermissionDenied", "closed"
_NO_TLS = "status 503"
"""What a sidecar answers where the TLS that it begins is cut off."""
BEAT_S = 0.05
"""All flows count from the same moment, and send at multiples of this time only: what is due together wakes each
client, proxy and server once, which halves the processor time of a request."""


@dataclass(frozen=True)
class Flow:
    """A steady stream of requests of one kind.

    Attributes:
        by: which client sends it.
        protocol: `http1`, `http2`, `grpc`, `tcp` or `websocket`.
        kept: one connection, or stream, is kept open; else each request has a fresh connection.
        address: `host:port`, by the manifests' names.
        path, host: of HTTP; an empty host is that of the address.
        denied: the outcome that the denial has; empty where requests are allowed.
        rate: requests per second; the time between two is a multiple of `BEAT_S`.
        token: each request has a valid token.
    """

    name: str
    by: str
    protocol: str
    kept: bool
    address: str
    path: str = "/"
    host: str = ""
    denied: str = ""
    rate: float = 5.0
    token: bool = False

    @property
    def due(self) -> str:
        """The outcome that every request must have."""
        return self.denied or ANSWERED


def _mesh() -> list[Flow]:
    return [
        Flow("mesh-http1-kept", SENDER, "http1", True, _WEB, rate=5),
        Flow("mesh-http1-fresh", SENDER, "http1", False, _WEB, rate=5),
        Flow("mesh-http2-kept", SENDER, "http2", True, _WEB, rate=5),
        Flow("mesh-grpc-kept", SENDER, "grpc", True, _CALLS, rate=20),
        Flow("mesh-grpc-fresh", SENDER, "grpc", False, _CALLS, rate=2),
        Flow("mesh-tcp-kept", SENDER, "tcp", True, _LINES, rate=20),
        Flow("mesh-tcp-fresh", SENDER, "tcp", False, _LINES, rate=2),
        Flow("mesh-websocket-kept", SENDER, "websocket", True, _WEB, rate=10),
        Flow("mesh-websocket-fresh", SENDER, "websocket", False, _WEB, rate=2),
        Flow("mesh-http1-identity", SENDER, "http1", True, _WEB, "/identity/sender", rate=2),
        Flow("mesh-http1-token", SENDER, "http1", True, _WEB, "/token", rate=2, token=True),
        Flow("mesh-http1-token-denied", SENDER, "http1", True, _WEB, "/token", denied=_FORBIDDEN, rate=5),
        Flow("mesh-http1-denied", STRANGER, "http1", True, _WEB, denied=_FORBIDDEN, rate=10),
        Flow("mesh-http1-fresh-denied", STRANGER, "http1", False, _WEB, denied=_FORBIDDEN, rate=2),
        Flow("mesh-http2-denied", STRANGER, "http2", True, _WEB, denied=_FORBIDDEN, rate=5),
        Flow("mesh-grpc-denied", STRANGER, "grpc", True, _CALLS, denied=_CALL_FORBIDDEN, rate=5),
        Flow("mesh-tcp-denied", STRANGER, "tcp", False, _LINES, denied=_CLOSED, rate=5),
        Flow("mesh-websocket-denied", STRANGER, "websocket", False, _WEB, denied=_FORBIDDEN, rate=2),
        Flow("plain-http1-denied", OUTSIDER, "http1", False, _WEB, denied=_CLOSED, rate=5),
        Flow("plain-tcp-denied", OUTSIDER, "tcp", False, _LINES, denied=_CLOSED, rate=5),
    ]


def _gateways() -> list[Flow]:
    return [
        Flow("ingress-http1-kept", OUTSIDER, "http1", True, _INGRESS, host=_HOST, rate=5),
        Flow("ingress-http1-fresh", OUTSIDER, "http1", False, _INGRESS, host=_HOST, rate=2),
        Flow("ingress-http2-kept", OUTSIDER, "http2", True, _INGRESS, host=_HOST, rate=2),
        Flow("ingress-grpc-kept", OUTSIDER, "grpc", True, _INGRESS, host=_HOST, rate=10),
        Flow("ingress-websocket-kept", OUTSIDER, "websocket", True, _INGRESS, host=_HOST, rate=10),
        Flow("ingress-http1-denied", OUTSIDER, "http1", True, _INGRESS, "/denied", _HOST, _FORBIDDEN, 5),
        Flow("ingress-http2-denied", OUTSIDER, "http2", True, _INGRESS, "/denied", _HOST, _FORBIDDEN, 5),
        Flow("egress-http1-kept", SENDER, "http1", True, _EGRESS, "/direct", rate=5),
        Flow("egress-http1-fresh", SENDER, "http1", False, _EGRESS, "/direct", rate=2),
        Flow("egress-websocket-kept", SENDER, "websocket", True, _EGRESS, "/direct", rate=10),
        Flow("egress-http1-denied", STRANGER, "http1", True, _EGRESS, "/direct", denied=_FORBIDDEN, rate=5),
    ]


def _tls() -> list[Flow]:
    """TLS that the client's sidecar begins, to the ingress gateway, and the same passed through the egress gateway."""
    return [
        Flow("originated-http1-kept", SENDER, "http1", True, _SECURE, "/direct", rate=5),
        Flow("originated-websocket-kept", SENDER, "websocket", True, _SECURE, "/direct", rate=10),
        Flow("originated-http1-denied", SENDER, "http1", True, _SECURE, "/denied", denied=_FORBIDDEN, rate=5),
        Flow("passed-http1-fresh", SENDER, "http1", False, _PASSED, "/direct", rate=2),
        Flow("passed-http1-denied", SENDER, "http1", False, _REFUSED, "/direct", denied=_NO_TLS, rate=10 / 3),
    ]


FLOWS: tuple[Flow, ...] = (*_mesh(), *_gateways(), *_tls())
"""All of them; every denied one has an allowed one of the same kind and way."""


def as_json(flows: Sequence[Flow] = FLOWS) -> str:
    """One line, for the generator."""
    return json.dumps([asdict(flow) for flow in flows], separators=(",", ":"))
