"""Only the load balancer reaches the gateway: any other client gets no answer."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import no_reply
from clients.model.outcome import OutcomeKind
from clients.model.stage import Stage
from suites.iap.workloads import ELSEWHERE, ENVIRONMENT, INSIDE_SITE, PAGE, PRODUCTPAGE, page

NO_ANSWER = no_reply(OutcomeKind.CONNECT_TIMEOUT)
SHUT_AFTER_S = 1.1
"""Time limit for a connection that the network must drop: TCP retransmits after a second (RFC 6298)."""
PAST = ELSEWHERE.get(f"{INSIDE_SITE}/productpage", behind=PRODUCTPAGE, timeout_s=SHUT_AFTER_S)

STAGE = Stage(
    "iap-firewall",
    title="Only the load balancer reaches the gateway behind IAP",
    environment=ENVIRONMENT,
    apply=("iap/network/only-load-balancer.yaml",),
    needs=frozenset({"client-address", "network-policy"}),
)

CASES = [Case("IAP-LB-01", PAST, NO_ANSWER, before=PAGE, twin=page(), twin_expect=PAGE)]


def test_case(case, prove):
    prove(case)
