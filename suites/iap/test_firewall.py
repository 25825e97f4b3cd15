"""Only the load balancer reaches the gateway: any other client gets no answer."""

from __future__ import annotations

from functools import partial

from clients.model.case import Case
from clients.model.expect import no_reply, status
from clients.model.outcome import OutcomeKind
from clients.model.stage import Stage
from suites.iap.workloads import ELSEWHERE, ENVIRONMENT, INSIDE_SITE, PAGE, PRODUCTPAGE, page

NO_ANSWER = no_reply(OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.REFUSED)
"""The network drops the connection, or rejects it (docs/deviations.md)."""
SHUT_AFTER_S = 1.1
"""Time limit for a connection that the network must drop: TCP retransmits after a second (RFC 6298)."""
past = partial(ELSEWHERE.get, timeout_s=SHUT_AFTER_S)
PAST = past(f"{INSIDE_SITE}/productpage", behind=PRODUCTPAGE)
AT_STATUS_PORT = past(f"{INSIDE_SITE}:15021/healthz/ready", behind=PRODUCTPAGE)
"""What the gateway answers there is in no log: its other port's twin shows that it is up."""

STAGE = Stage(
    "iap-firewall",
    title="Only the load balancer reaches the gateway behind IAP",
    environment=ENVIRONMENT,
    apply=("iap/network/only-load-balancer.yaml",),
    needs=frozenset({"client-address", "network-policy"}),
)

refused = partial(Case, "IAP-LB-01", expect=NO_ANSWER, twin=page(), twin_expect=PAGE)

CASES = [
    refused(PAST, before=PAGE),
    refused(AT_STATUS_PORT, before=status(200), variant="status port"),
]


def test_case(case, prove):
    prove(case)
