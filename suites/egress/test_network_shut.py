"""Before any egress configuration the mesh lets everything out, and the network only what comes from gateways."""

from __future__ import annotations

from clients.case import Arrival, Case, Logged, Proxy
from clients.expect import Check, body_contains, status
from clients.stage import Stage
from suites.egress.places import EXAMPLE, EXAMPLE_TLS, GATEWAY_NODE, GROUND, RAW_X, S1, SHUT_ADDRESS, TEST_X, shut

STAGE = Stage(
    "egress-s1-network",
    ground=GROUND,
    apply=S1,
    needs=frozenset({"external-block"}),
    instead=(("node-pool", "external-block"),),
)

BY_ENVOY = Check("server: envoy", lambda seen: None if seen.headers.get("server") == ("envoy",) else "not by Envoy")
CONNECT_FAILED = Logged(Proxy.CLIENT, cluster="PassthroughCluster", flags=frozenset({"UF", "URX"}))
FROM_GATEWAY_NODE = GATEWAY_NODE.get(EXAMPLE)

CASES = [
    Case("EGR-FW-01", FROM_GATEWAY_NODE, status(200), arrival=Arrival(GATEWAY_NODE, tls=False), variant="http"),
    Case(
        "EGR-FW-01",
        GATEWAY_NODE.get(EXAMPLE_TLS),
        status(200),
        arrival=Arrival(GATEWAY_NODE, tls=True, sni="example.com"),
        variant="https",
    ),
    Case(
        "EGR-BASE-01",
        TEST_X.get(EXAMPLE, timeout_s=15.0),
        status(503, body_contains("upstream connect error"), BY_ENVOY),
        twin=FROM_GATEWAY_NODE,
        logged=CONNECT_FAILED,
    ),
    Case("X-EGR-FIREWALL", RAW_X.get(EXAMPLE, resolve=f"{SHUT_ADDRESS}:80"), shut(), twin=FROM_GATEWAY_NODE),
]


def test_case(case, prove):
    prove(case)
