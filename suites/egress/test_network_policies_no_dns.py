"""The network policies without the one for DNS: names do not resolve."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import no_reply, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Dial
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    CLUSTER_DNS,
    ENVIRONMENT,
    EXAMPLE,
    GATEWAY_NODE,
    HOSTS,
    PROXY_USER_X,
    RAW_X,
    S9,
    SHUT_AFTER_S,
    TEST_X,
    TO_DNS,
    shut,
)

BY_ADDRESS = RAW_X.get("http://plain.team-y:8080/ip", dial=Dial.POD, timeout_s=SHUT_AFTER_S)
"""What the policies shut, without any name, which would take seconds to be refused."""
GATEWAY_BY_ADDRESS = PROXY_USER_X.get("http://istio-egressgateway.istio-egress:15021/healthz/ready", dial=Dial.POD)
"""What the policies let the client reach without any name: whether the gateway is ready."""

STAGE = Stage(
    "egress-s9-without-dns",
    title="Network policies without the DNS rule: names do not resolve",
    environment=ENVIRONMENT,
    apply=tuple(path for path in S9 if path != TO_DNS),
    needs=frozenset({"network-policy", "istiod"}),
    settle=(Settle(BY_ADDRESS, shut(), before=status(200)),),
    reachable=(GATEWAY_BY_ADDRESS,),
)

CASES = [
    Case(
        "EGR-NETPOL-05",
        TEST_X.get(EXAMPLE, timeout_s=30.0),
        no_reply(OutcomeKind.DNS),
        twin=GATEWAY_NODE.get(EXAMPLE),
        needs=HOSTS | CLUSTER_DNS,
    ),
]


def test_case(case, prove):
    prove(case)
