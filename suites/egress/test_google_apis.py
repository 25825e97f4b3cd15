"""Google's APIs: registered for team-x and reached directly, so no policy of the gateway applies."""

from __future__ import annotations

import pytest

from clients.mesh import sidecar
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import body_contains, status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.stage import Settle, Stage
from suites.egress.state import at_both_ports, registered
from suites.egress.workloads import (
    BLACK_HOLE,
    ENVIRONMENT,
    EXAMPLE,
    HOSTS,
    HTTPBIN_TLS,
    METADATA,
    RAW_X,
    S10,
    SHUT_AFTER_S,
    STAND_INS,
    STORAGE,
    STORAGE_TLS,
    TEST_X,
    TEST_Y,
    cut,
    shut,
)

BLOCKED = RAW_X.get("http://plain.team-y/ip", timeout_s=SHUT_AFTER_S)
"""By no rule of the network policies, which this stage has as well."""
DIRECT = TEST_X.get(f"{STORAGE_TLS}/hello")
BY_GATEWAY = TEST_X.get(EXAMPLE)
STAGE = Stage(
    "egress-s10",
    title="Google APIs are reached directly, past the gateway's policies",
    environment=ENVIRONMENT,
    apply=S10,
    needs=HOSTS | STAND_INS | {"istiod"},
    settle=(
        Settle(BLOCKED, shut(), before=status(200), needs=frozenset({"network-policy"})),
        Settle(DIRECT, status(200), before=cut()),
    ),
)

ACCOUNT = "sa-test-app-team-x@"
FLAVOR = (("Metadata-Flavor", "Google"),)
ACCOUNTS = f"{METADATA}/computeMetadata/v1/instance/service-accounts/"
REGISTERED = ("metadata.google.internal", "private.googleapis.com", "storage.googleapis.com")
FROM_POD = ServerLogExpectation(TEST_X, tls=True, sni="storage.googleapis.com")
BY_SIDECAR = AccessLogExpectation(
    Proxy.CLIENT,
    tcp=True,
    upstream=r"[0-9a-f.:\[\]]+:443",
    cluster=r"outbound\|443\|\|storage\.googleapis\.com",
    sni=r"storage\.googleapis\.com",
)

CASES = [
    Case("EGR-API-01", TEST_X.get(ACCOUNTS, headers=FLAVOR), status(200, body_contains(ACCOUNT))),
    Case("EGR-API-02", DIRECT, status(200, body_contains("Hello, World!")), arrival=FROM_POD),
    Case(
        "EGR-API-04",
        DIRECT,
        status(200),
        twin=BY_GATEWAY,
        logged=(BY_SIDECAR, AccessLogExpectation(Proxy.GATEWAY, tcp=True, absent=True)),
        arrival=FROM_POD,
    ),
    Case("EGR-API-05", TEST_Y.get(STORAGE_TLS), cut(), twin=TEST_Y.get(f"{HTTPBIN_TLS}/get"), logged=(BLACK_HOLE,)),
    Case(
        "EGR-API-06",
        TEST_X.get(f"{STORAGE_TLS}/hello", headers=(("Authorization", "Bearer token-of-another-account"),)),
        status(403, body_contains("storage.objects.get")),
        twin=DIRECT,
        arrival=FROM_POD,
    ),
    Case("EGR-API-07", DIRECT, status(200), arrival=FROM_POD, variant="https"),
    Case(
        "EGR-API-07",
        TEST_X.get(f"{STORAGE}/hello"),
        status(200),
        arrival=ServerLogExpectation(TEST_X, tls=False),
        variant="http",
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-API-03")
def test_hosts_are_registered_for_team_x_only(observe, stage):
    rig = stage.rig
    wanted = {
        "team-x": at_both_ports("example.com", "httpbin.org", *REGISTERED),
        "team-y": at_both_ports("httpbin.org"),
    }

    def problem():
        for source in (TEST_X, TEST_Y):
            known = registered(rig, sidecar.config_dump(rig.cluster, rig.workloads.pods(source)[0]))
            team = source.namespace
            if lacks := wanted[team] - known:
                return f"{team} lacks {', '.join(sorted(lacks))}"
            if more := known - wanted[team]:
                return f"{team} has {', '.join(sorted(more))}"
        return None

    observe(
        "EGR-API-03",
        f"clusters of {', '.join(REGISTERED)} on 80 and 443 in team-x, none in team-y, nor of others in either",
        problem,
    )
