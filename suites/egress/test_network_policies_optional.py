"""The optional policies: within team-x, and from team-x to team-y. The first also shuts team-x to all other pods."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import status
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    ENVIRONMENT,
    EXAMPLE,
    NEXT_TO_GATEWAY,
    OPEN,
    OPEN_ADDRESS,
    OPTIONAL_POLICIES,
    RAW_X,
    RAW_Y,
    S9,
    SHUT_AFTER_S,
    shut,
)

TO_PLAIN_X, TO_PLAIN_Y = "http://plain.team-x/ip", "http://plain.team-y/ip"
WITHIN_X = RAW_X.get(TO_PLAIN_X)
DIRECT = f"{OPEN_ADDRESS}:80"
FROM_Y = RAW_Y.get(TO_PLAIN_X, timeout_s=SHUT_AFTER_S)
STAGE = Stage(
    "egress-s9-optional",
    title="Optional network policies: within team-x, and from it to team-y",
    environment=ENVIRONMENT,
    apply=(*S9, *OPTIONAL_POLICIES),
    needs=frozenset({"network-policy", "istiod"}),
    settle=(Settle(FROM_Y, shut()),),
)

CASES = [
    Case("EGR-NETPOL-09", WITHIN_X, status(200), before=status(200)),
    Case("EGR-NETPOL-11", RAW_X.get(TO_PLAIN_Y), status(200), before=status(200)),
    Case("EGR-NETPOL-13", FROM_Y, shut(), before=status(200), twin=WITHIN_X),
    Case(
        "X-EGR-SHUT-OPTIONAL",
        RAW_X.get(NEXT_TO_GATEWAY, timeout_s=SHUT_AFTER_S),
        shut(),
        before=status(200),
        twin=RAW_Y.get(NEXT_TO_GATEWAY),
        variant="another namespace",
    ),
    Case(
        "X-EGR-SHUT-OPTIONAL",
        RAW_X.get(EXAMPLE, resolve=DIRECT, timeout_s=SHUT_AFTER_S),
        shut(),
        before=status(200),
        twin=RAW_Y.get(EXAMPLE, resolve=DIRECT),
        needs=OPEN,
        variant="external host",
    ),
]


def test_case(case, prove):
    prove(case)
