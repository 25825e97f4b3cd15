"""A second team and a second host: httpbin.org for both teams, example.com for team-x only."""

from __future__ import annotations

import pytest

from clients.mesh import proxyconfig, sidecar
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Settle, Stage
from suites.egress.state import analysis_problem, at_both_ports, registered
from suites.egress.workloads import (
    ENVIRONMENT,
    EXAMPLE,
    HOSTS,
    HTTPBIN,
    NO_ROUTE,
    OWN_TEAM,
    RAW_X,
    S4,
    TEST_X,
    TEST_Y,
)

ALLOWED_Y = TEST_Y.head(HTTPBIN)
REFUSED_Y = TEST_Y.head(EXAMPLE)
TO_PLAIN_Y = "http://plain.team-y/ip"
STAGE = Stage(
    "egress-s4",
    title="Two teams: httpbin.org for both, example.com for team-x only",
    environment=ENVIRONMENT,
    apply=S4,
    needs=HOSTS,
    settle=(Settle(ALLOWED_Y, status(200), before=status(503)),),
)

CASES = [
    Case("EGR-TENANT-01", ALLOWED_Y, status(200)),
    Case("EGR-TENANT-02", TEST_X.head(HTTPBIN), status(200)),
    Case("EGR-TENANT-03", REFUSED_Y, status(502), twin=ALLOWED_Y, logged=(NO_ROUTE,)),
    Case(
        "EGR-TENANT-04",
        REFUSED_Y,
        status(502),
        twin=ALLOWED_Y,
        logged=(AccessLogExpectation(Proxy.GATEWAY, absent=True),),
    ),
    # The scopes are about the teams' own Services as well.
    Case(
        "X-EGR-TENANT-SERVICE",
        TEST_Y.get(OWN_TEAM),
        status(502),
        before=status(200),
        twin=TEST_X.get(OWN_TEAM),
        logged=(NO_ROUTE,),
        variant="from team-y",
    ),
    Case(
        "X-EGR-TENANT-SERVICE",
        TEST_X.get(TO_PLAIN_Y),
        status(502),
        before=status(200),
        twin=RAW_X.get(TO_PLAIN_Y),
        logged=(NO_ROUTE,),
        variant="from team-x",
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-ANALYZE-02")
def test_analysis_is_clean(observe, stage):
    observe("EGR-ANALYZE-02", "no validation issues for istio-egress", lambda: analysis_problem(stage))


@pytest.mark.control("EGR-TENANT-05")
def test_the_other_teams_host_is_not_configured(observe, stage):
    def problem():
        dump = sidecar.config_dump(stage.rig.cluster, stage.rig.workloads.pods(TEST_Y)[0])
        known = proxyconfig.clusters(dump)
        if "outbound|80||httpbin.org" not in known:
            return "no cluster of httpbin.org"
        seen = [name for name in (*known, *proxyconfig.routes(dump)) if "example.com" in name]
        if seen:
            return f"example.com is configured: {', '.join(sorted(seen))}"
        more = registered(stage.rig, dump) - at_both_ports("httpbin.org")
        return f"more is registered: {', '.join(sorted(more))}" if more else None

    observe("EGR-TENANT-05", "clusters of httpbin.org, and of no other host; no virtual host of example.com", problem)
