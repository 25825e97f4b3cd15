"""The same policy with the port of the Service instead of that of the gateway's pods: it allows nothing."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.egress.workloads import ENVIRONMENT, EXAMPLE, HOSTS, HTTPBIN, S4, TEAPOT, TEST_X, TEST_Y, refused_by_gateway

STAGE = Stage(
    "egress-s5-service-port",
    title="Gateway policy on the Service's port, not the pods': allows nothing",
    environment=ENVIRONMENT,
    # team-y's policy names the right port, and so shows that requests pass through the gateway
    apply=(*S4, "egress/authorization/team-x-service-port.yaml", "egress/authorization/team-y-to-httpbin-teapot.yaml"),
    needs=HOSTS,
    settle=(Settle(TEST_X.get(HTTPBIN), rbac_denied(), before=status(200)),),
)

CASES = [
    Case(
        "EGR-AUTHZ-08",
        TEST_X.head(EXAMPLE),
        status(403),
        twin=TEST_Y.get(TEAPOT),
        twin_expect=status(418),
        logged=(refused_by_gateway("example.com"),),
    ),
]


def test_case(case, prove):
    prove(case)
