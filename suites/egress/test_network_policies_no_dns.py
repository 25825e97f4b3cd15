"""The network policies without the one for DNS: names do not resolve."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import no_reply, status
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage
from suites.egress.workloads import ENVIRONMENT, EXAMPLE, GATEWAY_NODE, RAW_X, S9, TEST_X, TO_DNS

BY_NAME = RAW_X.get("http://plain.team-x/ip", timeout_s=30.0)
"""Within the namespace, where only its name can be the reason."""

STAGE = Stage(
    "egress-s9-without-dns",
    title="Network policies without the DNS rule: names do not resolve",
    environment=ENVIRONMENT,
    apply=tuple(path for path in S9 if path != TO_DNS),
    needs=frozenset({"network-policy"}),
    settle=(Settle(BY_NAME, no_reply(OutcomeKind.DNS), before=status(200)),),
)

CASES = [
    Case(
        "EGR-NETPOL-05",
        TEST_X.get(EXAMPLE, timeout_s=30.0),
        no_reply(OutcomeKind.DNS),
        twin=GATEWAY_NODE.get(EXAMPLE),
    ),
]


def test_case(case, prove):
    prove(case)
