"""Pass-through without the policy for its port: the gateway's other policies are about HTTP, and TLS is cut."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import no_reply, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    BY_NO_RULE,
    ENVIRONMENT,
    EXAMPLE,
    EXAMPLE_TLS,
    GATEWAY,
    HOSTS,
    RAW_X,
    S8_WITHOUT_443,
    TEST_X,
    cut,
)

PLAIN = TEST_X.head(EXAMPLE)
REFUSED = TEST_X.get(EXAMPLE_TLS)
AT_PORT = RAW_X.get(EXAMPLE_TLS, resolve=f"{GATEWAY}:443")
"""The gateway's port for TLS that passes through: without any configuration for it, no connection is accepted."""
STAGE = Stage(
    "egress-s8-without-443",
    title="TLS pass-through is cut without a policy for its port",
    environment=ENVIRONMENT,
    apply=S8_WITHOUT_443,
    needs=HOSTS,
    settle=(Settle(AT_PORT, cut(), before=no_reply(OutcomeKind.REFUSED)), Settle(PLAIN, status(200))),
)

CASES = [
    Case(
        "EGR-PASS-04",
        REFUSED,
        cut(),
        twin=PLAIN,
        # The entry names an upstream: Envoy connects when the client does, and decides before it sends a byte.
        logged=(
            AccessLogExpectation(Proxy.GATEWAY, tcp=True, status=0, details=BY_NO_RULE, local="<gateway>:<tls-port>"),
        ),
    ),
]


def test_case(case, prove):
    prove(case)
