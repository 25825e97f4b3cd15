"""example.com through the egress gateway, for team-x: two hops, the first by mutual TLS, which the gateway requires."""

from __future__ import annotations

import pytest

from clients.mesh import proxyconfig, sidecar
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import no_reply, status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage
from suites.egress.state import analysis_problem, at_both_ports, registered
from suites.egress.workloads import (
    BLACK_HOLE,
    BY_MUTUAL_TLS,
    ENVIRONMENT,
    EXAMPLE,
    EXAMPLE_TLS,
    GATEWAY,
    GATEWAY_NODE,
    HOP_SNI,
    HOSTS,
    HTTPBIN_TLS,
    NO_ROUTE,
    RAW_X,
    S3,
    TEST_X,
    at_no_known_port,
    cut,
    dropped,
)

ALLOWED = TEST_X.get(EXAMPLE)
STAGE = Stage(
    "egress-s3",
    title="Plain HTTP to example.com goes through the egress gateway",
    environment=ENVIRONMENT,
    apply=S3,
    needs=HOSTS,
    settle=(Settle(ALLOWED, status(200), before=status(502)),),
)

AT_SIDECAR = AccessLogExpectation(
    Proxy.CLIENT,
    status=200,
    authority=r"example\.com",
    protocol=r"HTTP/1\.1",
    upstream="<gateway>:<http-port>",
    cluster=BY_MUTUAL_TLS,
    local="<example.com>:80",
    sni="-",
)
AT_GATEWAY = AccessLogExpectation(
    Proxy.GATEWAY,
    status=200,
    authority=r"example\.com",
    protocol="HTTP/2",
    upstream="<example.com>:80",
    cluster=r"outbound\|80\|\|example\.com",
    local="<gateway>:<http-port>",
    sni=HOP_SNI,
)
# In TLS 1.3 the client's handshake ends before the server has judged its certificate: sending or reading fails later.
NO_HANDSHAKE = no_reply(OutcomeKind.TLS_ERROR, OutcomeKind.SEND_ERROR, OutcomeKind.RESET)
NOT_AT_GATEWAY = AccessLogExpectation(Proxy.GATEWAY, absent=True)

CASES = [
    Case("EGR-ROUTE-01", ALLOWED, status(200), repeat=4),
    Case("EGR-ROUTE-02", ALLOWED, status(200), logged=(AT_SIDECAR,), repeat=4),
    Case("EGR-ROUTE-03", ALLOWED, status(200), logged=(AT_GATEWAY,), repeat=4),
    at_no_known_port("X-EGR-ROUTE-PORT"),
    Case(
        "X-EGR-ROUTE-NAME",
        TEST_X.get("http://untrusted.example.com"),
        status(502),
        twin=ALLOWED,
        logged=(NO_ROUTE,),
        variant="subdomain",
    ),
    Case(
        "X-EGR-ROUTE-NAME",
        TEST_X.get(HTTPBIN_TLS),
        cut(),
        twin=GATEWAY_NODE.get(HTTPBIN_TLS),
        logged=(BLACK_HOLE,),
        variant="TLS for another host",
    ),
    Case("EGR-ROUTE-05", ALLOWED, status(200), arrival=ServerLogExpectation(Proxy.GATEWAY, tls=False)),
    Case(
        "EGR-ROUTE-06",
        RAW_X.get(EXAMPLE, resolve=f"{GATEWAY}:80"),
        dropped(),
        twin=ALLOWED,
        logged=(NOT_AT_GATEWAY,),
        variant="plain HTTP",
    ),
    Case(
        "EGR-ROUTE-06",
        RAW_X.get(EXAMPLE_TLS, resolve=f"{GATEWAY}:80", insecure=True),
        NO_HANDSHAKE,
        twin=ALLOWED,
        logged=(NOT_AT_GATEWAY,),
        variant="TLS without a client certificate",
    ),
    Case(
        "EGR-ROUTE-06",
        RAW_X.get(EXAMPLE_TLS, resolve=f"{GATEWAY}:80", insecure=True, impostor_of=TEST_X),
        NO_HANDSHAKE,
        twin=ALLOWED,
        logged=(NOT_AT_GATEWAY,),
        variant="TLS with a certificate of a foreign authority",
    ),
    Case(
        "EGR-ROUTE-06",
        RAW_X.get(
            EXAMPLE_TLS,
            resolve=f"{GATEWAY}:80",
            insecure=True,
            impostor_of=TEST_X,
            impostor_domain="foreign.example",
        ),
        NO_HANDSHAKE,
        twin=ALLOWED,
        logged=(NOT_AT_GATEWAY,),
        variant="TLS with a certificate of a foreign trust domain",
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-ANALYZE-01")
def test_analysis_is_clean(observe, stage):
    observe("EGR-ANALYZE-01", "no validation issues for istio-egress", lambda: analysis_problem(stage))


@pytest.mark.control("EGR-ROUTE-04")
def test_host_and_subset_are_configured_in_team_x(observe, stage):
    rig = stage.rig
    gateway = rig.overlay.host("istio-egressgateway.istio-egress.svc.cluster.local")
    subset = f"outbound|80|target-egress-gateway-mTLS|{gateway}"
    sni = f"outbound_.80_.target-egress-gateway-mTLS_.{gateway}"

    def problem():
        dump = sidecar.config_dump(rig.cluster, rig.workloads.pods(TEST_X)[0])
        wanted = {"outbound|80||example.com", "outbound|443||example.com", subset}
        if lacks := wanted - (known := proxyconfig.clusters(dump)).keys():
            return f"no cluster {', '.join(sorted(lacks))}"
        if more := registered(rig, dump) - at_both_ports("example.com"):
            return f"more is registered: {', '.join(sorted(more))}"
        if not known[subset].tls or known[subset].sni != sni:
            return f"the subset's cluster has TLS: {known[subset].tls}, server name {known[subset].sni}"
        routes = proxyconfig.routes(dump).get("example.com", set())
        return None if routes == {subset} else f"the route for example.com goes to {', '.join(sorted(routes))}"

    expected = (
        f"clusters of example.com on 80 and 443, of no other host, and {subset} by TLS, "
        "to which the route of example.com:80 leads"
    )
    observe("EGR-ROUTE-04", expected, problem)
