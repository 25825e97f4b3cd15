"""A Sidecar resource for team-x: its proxy keeps only what is exported to it, and refuses every other host."""

from __future__ import annotations

import pytest

from clients.mesh import proxyconfig, sidecar
from clients.model.case import Case
from clients.model.expect import received, status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    BLACK_HOLE,
    ELSEWHERE,
    ENVIRONMENT,
    EXAMPLE,
    EXAMPLE_DATAGRAM,
    EXAMPLE_TLS,
    GATEWAY_NODE,
    HOSTS,
    NO_ROUTE,
    OPEN,
    OPEN_ADDRESS,
    OWN_TEAM,
    S2,
    TEST_X,
    at_no_known_port,
    cut,
)

PLAIN = TEST_X.get(EXAMPLE)
# without a scope the sidecar tries to connect, and the network does not let it
STAGE = Stage(
    "egress-s2",
    title="Sidecar scope for team-x: unregistered hosts are refused",
    environment=ENVIRONMENT,
    apply=S2,
    needs=HOSTS,
    settle=(Settle(PLAIN, status(502), before=status(503)),),
    reachable=(TEST_X.get(OWN_TEAM),),
)

CASES = [
    Case("EGR-SIDECAR-03", PLAIN, status(502), twin=GATEWAY_NODE.get(EXAMPLE), logged=(NO_ROUTE,)),
    Case("EGR-SIDECAR-04", TEST_X.get(EXAMPLE_TLS), cut(), twin=GATEWAY_NODE.get(EXAMPLE_TLS), logged=(BLACK_HOLE,)),
    at_no_known_port("X-EGR-SCOPE-PORT"),
    # Open by design: a sidecar handles TCP, so only the network can refuse what is sent by UDP.
    Case(
        "X-EGR-SCOPE-UDP",
        TEST_X.udp(EXAMPLE_DATAGRAM, resolve=f"{OPEN_ADDRESS}:443"),
        received(),
        arrival=ServerLogExpectation(TEST_X),
        needs=OPEN | ELSEWHERE,
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-SIDECAR-02")
def test_only_the_gateway_and_own_services_remain(observe, stage):
    rig = stage.rig
    gateway = rig.overlay.host("istio-egressgateway.istio-egress.svc.cluster.local")
    test = rig.overlay.host("test.team-x.svc.cluster.local")
    own = test.removeprefix("test")
    wanted = {f"outbound|80||{gateway}", f"outbound|443||{gateway}", f"outbound|80||{test}"}

    def problem():
        for pod in rig.cluster.pods(rig.overlay.namespace("team-x")):
            if found := pod.injected and pod.ready and problem_of(pod):
                return f"{pod}: {found}"
        return None

    def problem_of(pod):
        known = proxyconfig.outbound(sidecar.config_dump(rig.cluster, pod))
        lacks, foreign = wanted - known, {name for name in known if not name.endswith((f"|{gateway}", own))}
        if lacks:
            return f"no cluster {', '.join(sorted(lacks))}"
        return f"{len(foreign)} clusters of others: {', '.join(sorted(foreign)[:3])}" if foreign else None

    expected = "outbound clusters of the egress gateway and of team-x, and no other, in each sidecar of team-x"
    observe("EGR-SIDECAR-02", expected, problem)
