"""The external authorization server is down: requests that it would decide are refused, and no others."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Scale, Settle, Stage
from suites.front.custom import ALLOWED, ANONYMOUS, CUSTOM_ENVIRONMENT, CUSTOM_NEEDS, CUSTOM_POLICY
from suites.front.workloads import FROM_GATEWAY, HEALTHY, SHOWS_SECRET, call

REFUSED = status(403, FROM_GATEWAY)
"""Istio's `statusOnError` where the provider sets no other."""
UNDECIDED = (AccessLogExpectation(Proxy.CLIENT, flags=frozenset({"UAEX"}), details="ext_authz_error"),)

STAGE = Stage(
    "front-custom-down",
    title="External authorization server down: what it decides is refused",
    environment=CUSTOM_ENVIRONMENT,
    apply=CUSTOM_POLICY,
    needs=CUSTOM_NEEDS,
    scaled=(Scale("authz", "ext-authz", 0),),
    settle=(Settle(ALLOWED, REFUSED),),
)

HEALTH = call("/api/healthz")

CASES = [
    *(
        Case(
            "X-CUSTOM-05",
            probe,
            REFUSED,
            before=SHOWS_SECRET,
            twin=HEALTH,
            twin_expect=HEALTHY,
            variant=variant,
            logged=UNDECIDED,
        )
        for variant, probe in (("what it would allow", ALLOWED), ("what it would refuse", ANONYMOUS))
    ),
    Case("X-CUSTOM-04", HEALTH, HEALTHY, before=HEALTHY, variant="exempt path, server down"),
]


def test_case(case, prove):
    prove(case)
