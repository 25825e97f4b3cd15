"""The changes that `stability` makes: each kind with its manifest, the request whose outcome it changes, and the proxy.

Not a benchmark of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clients.model.expect import Expectation, no_reply, rbac_denied, reset, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe, Workload
from clients.probe.outside import through

URL = "http://httpbin.bench-server:8000/ip"
INSIDE = Workload("bench-client", "sleep", "sleep")
OUTSIDE = Workload("bench-outside", "sleep", "sleep")
SERVER = Workload("bench-server", "httpbin", "httpbin")
INGRESS = Workload("bench-ingress", "bench-ingress", "istio-proxy")
AT_GATEWAY = Probe(through(INGRESS), "http://bench.example.com/ip", behind="httpbin.bench-server")
BY_HTTP2 = replace(AT_GATEWAY, http2=True)
TEAPOT = status(418)
NO_LISTENER = no_reply(OutcomeKind.EMPTY_REPLY, OutcomeKind.RESET)
"""No other service that the client's proxy keeps has the server's port, so connections end in BlackHoleCluster."""


@dataclass(frozen=True)
class FlippedPolicy:
    """One kind of change, and the request whose outcome it changes: 200 without it, `denied` with it.

    Attributes:
        proxy: the workload whose proxy has to apply it.
        pooled: whether probes go through a client's sidecar, which keeps connections to the server's proxy.
    """

    kind: str
    manifest: str
    probe: Probe
    denied: Expectation
    proxy: Workload = SERVER
    pooled: bool = False


POLICIES = (
    FlippedPolicy("AuthorizationPolicy", "authorization-policy.yaml", INSIDE.get(URL), rbac_denied(), pooled=True),
    FlippedPolicy("PeerAuthentication", "peer-authentication.yaml", OUTSIDE.get(URL), reset()),
    FlippedPolicy(
        "RequestAuthentication",
        "request-authentication.yaml",
        INSIDE.get(URL, token="malformed"),
        status(401),
        pooled=True,
    ),
)
"""Those of `bench stability`: at the server's two replicas."""
ROUTES = (
    FlippedPolicy("Sidecar", "sidecar.yaml", INSIDE.get(URL), NO_LISTENER, INSIDE),
    FlippedPolicy("VirtualService", "virtual-service.yaml", INSIDE.get(URL), TEAPOT, INSIDE),
)
"""At the client's own sidecar."""
_REFUSES = "gateway-authorization-policy.yaml"
AT_THE_GATEWAY = (
    FlippedPolicy("gateway's AuthorizationPolicy, HTTP/1.1", _REFUSES, AT_GATEWAY, rbac_denied(), INGRESS),
    FlippedPolicy("gateway's AuthorizationPolicy, HTTP/2", _REFUSES, BY_HTTP2, rbac_denied(), INGRESS),
    FlippedPolicy("gateway's VirtualService, HTTP/1.1", "gateway-route.yaml", AT_GATEWAY, TEAPOT, INGRESS),
    FlippedPolicy("gateway's VirtualService, HTTP/2", "gateway-route.yaml", BY_HTTP2, TEAPOT, INGRESS),
)
"""At the two replicas of an ingress gateway (`gateway.yaml`)."""
ALL = (*POLICIES, *ROUTES, *AT_THE_GATEWAY)
ENVIRONMENT = ("environment.yaml",)
WITH_GATEWAY = ("environment.yaml", "gateway.yaml")
