"""Network policies for team-x: what its sidecars need stays open, and the direct ways around them are shut.

A long-lived connection is opened before the policies; the workloads are restarted once they are in force.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.mesh import proxyconfig, sidecar
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import received, status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.probe import Dial
from clients.model.stage import Settle, Stage
from suites.egress import rollout
from suites.egress.state import selectors_without_pods
from suites.egress.stream import Stream
from suites.egress.workloads import (
    DATAGRAM_AT_DNS,
    ELSEWHERE,
    ENVIRONMENT,
    EXAMPLE,
    EXAMPLE_DATAGRAM,
    EXAMPLE_TLS,
    EXCLUDED_X,
    GATEWAY,
    HOSTS,
    METADATA,
    NAME_SERVER_READY,
    NEXT_TO_GATEWAY,
    OPEN,
    OPEN_ADDRESS,
    OTHER_PORTS,
    PROXY_USER_X,
    RAW_X,
    RAW_Y,
    S9,
    SHELL,
    SHUT_AFTER_S,
    STAND_INS,
    STORAGE_TLS,
    TEST_X,
    UNANSWERED_AFTER_S,
    shut,
    unanswered,
)

TO_PLAIN_X, TO_PLAIN_Y = "http://plain.team-x/ip", "http://plain.team-y/ip"
BLOCKED = RAW_X.get(TO_PLAIN_Y, timeout_s=SHUT_AFTER_S)
STAGE = Stage(
    "egress-s9",
    title="Network policies for team-x shut the ways around its sidecars",
    environment=ENVIRONMENT,
    apply=S9,
    needs=frozenset({"network-policy", "istiod"}),
    settle=(Settle(BLOCKED, shut(), before=status(200)),),
    reachable=(EXCLUDED_X.get(EXAMPLE_TLS, resolve=f"{GATEWAY}:443"),),
)

DIRECT = f"{OPEN_ADDRESS}:80"
AT_NAME_SERVER = RAW_Y.get(NAME_SERVER_READY, dial=Dial.POD)
OTHER_TEAM = RAW_Y.get(EXAMPLE, resolve=DIRECT)
"""The policies are team-x's: the other team's request shows that the address answers."""

CASES = [
    Case("EGR-NETPOL-01", TEST_X.head(EXAMPLE), status(200), arrival=ServerLogExpectation(Proxy.GATEWAY, tls=True)),
    *(
        Case(
            "EGR-NETPOL-03",
            source.get(EXAMPLE, resolve=DIRECT, timeout_s=SHUT_AFTER_S),
            shut(),
            twin=OTHER_TEAM,
            needs=OPEN | (SHELL if source is PROXY_USER_X else frozenset()),
            variant=way,
        )
        for way, source in {"no sidecar": RAW_X, "user of the proxy": PROXY_USER_X}.items()
    ),
    *(
        Case(
            "X-EGR-SHUT-PORTS",
            RAW_X.get(url, resolve=f"{OPEN_ADDRESS}:{port}", timeout_s=SHUT_AFTER_S),
            shut(),
            twin=RAW_Y.get(url, resolve=f"{OPEN_ADDRESS}:{port}"),
            needs=OPEN | needs,
            variant=str(port),
        )
        for port, url, needs in OTHER_PORTS
    ),
    *(
        Case(
            "X-EGR-SHUT-UDP",
            source.udp(to, resolve=f"{OPEN_ADDRESS}:{port}", timeout_s=UNANSWERED_AFTER_S),
            unanswered(),
            twin=RAW_Y.udp(to, resolve=f"{OPEN_ADDRESS}:{port}"),
            twin_expect=received(),
            needs=OPEN | ELSEWHERE,
            variant=way,
        )
        for way, source, to, port in (
            ("no sidecar", RAW_X, EXAMPLE_DATAGRAM, 443),
            ("sidecar", TEST_X, EXAMPLE_DATAGRAM, 443),
            ("port of DNS", RAW_X, DATAGRAM_AT_DNS, 53),
        )
    ),
    Case(
        "X-EGR-RANGES-SHUT",
        EXCLUDED_X.get(EXAMPLE, resolve=DIRECT, timeout_s=SHUT_AFTER_S),
        shut(),
        twin=OTHER_TEAM,
        needs=OPEN,
    ),
    Case("X-EGR-OTHER-TEAM", OTHER_TEAM, status(200), arrival=ServerLogExpectation(RAW_Y, tls=False), needs=OPEN),
    # What stays open: the policies let every pod of team-x reach the gateway, whose port 443 requires no identity.
    Case("X-EGR-GATEWAY-OPEN", RAW_X.get(EXAMPLE_TLS, resolve=f"{GATEWAY}:443"), status(200)),
    Case("EGR-NETPOL-08", BLOCKED, shut(), twin=RAW_Y.get(TO_PLAIN_Y)),
    Case("EGR-NETPOL-10", RAW_X.get(TO_PLAIN_X, timeout_s=SHUT_AFTER_S), shut(), twin=RAW_Y.get(TO_PLAIN_X)),
    Case("EGR-NETPOL-12", BLOCKED, shut(), twin=RAW_Y.get(TO_PLAIN_Y)),
    Case(
        "X-EGR-SHUT-NEIGHBOUR",
        RAW_X.get(NEXT_TO_GATEWAY, timeout_s=SHUT_AFTER_S),
        shut(),
        twin=RAW_Y.get(NEXT_TO_GATEWAY),
    ),
    Case(
        "EGR-NETPOL-15",
        RAW_X.get(f"{METADATA}/", headers=(("Metadata-Flavor", "Google"),)),
        status(200),
        arrival=ServerLogExpectation(RAW_X, tls=False),
        needs=HOSTS | STAND_INS,
        variant="metadata server",
    ),
    Case(
        "EGR-NETPOL-15",
        RAW_X.get(f"{STORAGE_TLS}/hello"),
        status(200),
        arrival=ServerLogExpectation(RAW_X, tls=True, sni="storage.googleapis.com"),
        needs=HOSTS | STAND_INS,
        variant="Google APIs",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def stream(mesh_lock, rig):  # noqa: ARG001 - excludes other workers
    """A connection from team-x to team-y, opened before the policies are applied."""
    rig.environments.ensure(STAGE.environment)
    rig.stage_objects.clear()  # the previous stage may have left policies
    opened = Stream(rig, RAW_X, TO_PLAIN_Y)
    yield opened
    opened.close()


@pytest.fixture(scope="module", autouse=True)
def survived(stream, stage):
    """The problem of the old connection once new ones are refused, or None; then the workloads are restarted."""
    problem = stream.problem()
    rollout.restart(stage.rig, "team-x", "raw", "test")
    return problem


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-NETPOL-07")
def test_connection_opened_before_goes_on(observe, survived):
    if survived:
        pytest.skip(f"the network plug-in cuts established connections, as it may: {survived}")
    observe("EGR-NETPOL-07", "requests are answered on the old connection while new ones are refused", lambda: None)


@pytest.mark.control("EGR-NETPOL-02")
def test_restarted_workload_becomes_ready(observe, stage):
    def problem():
        for pod in rollout.pods(stage.rig, "team-x", "test"):
            if not pod.ready:
                return f"pod {pod} is not ready"
            if "outbound|443||example.com" not in proxyconfig.outbound(sidecar.config_dump(stage.rig.cluster, pod)):
                return f"the proxy of {pod} lacks the configuration of this stage"
        return None

    observe("EGR-NETPOL-02", "new pod ready, its proxy configured by the control plane", problem)


@pytest.mark.control("X-EGR-SHUT-DNS", needs=STAND_INS)
def test_other_ports_of_name_servers_are_shut(observe, stage):
    """No case: a name server logs no such requests, so that its log proves nothing."""

    def problem():
        probes = (AT_NAME_SERVER, replace(AT_NAME_SERVER, source=RAW_X, timeout_s=SHUT_AFTER_S))
        of_the_other, own = (stage.rig.prober.probe(probe, "X-EGR-SHUT-DNS")[0] for probe in probes)
        if of_the_other.status != 200:
            return f"the twin, the other team's request: {of_the_other.summary}"
        return shut().problem(own)

    observe("X-EGR-SHUT-DNS", "port 8181 of the name server's pod: open to team-y, shut to team-x", problem)


@pytest.mark.control("EGR-NETPOL-14")
def test_selectors_match_pods(observe, stage):
    def problem():
        return "; ".join(selectors_without_pods(stage.rig)) or None

    observe("EGR-NETPOL-14", "each selector of the policies finds a running pod", problem)
