"""The network policies without the one for the control plane: a new proxy gets no configuration and is never ready."""

from __future__ import annotations

import re
import time

import pytest

from clients import mesh
from clients.errors import InfrastructureError
from clients.exec import exec_once
from clients.pods import SIDECAR
from clients.stage import Settle, Stage
from suites.egress import rollout
from suites.egress.places import (
    EXAMPLE,
    GROUND,
    OPEN_ADDRESS,
    RAW_X,
    S9,
    TO_CONTROL_PLANE,
    shut,
)

STAGE = Stage(
    "egress-s9-without-control-plane",
    ground=GROUND,
    apply=tuple(path for path in S9 if path != TO_CONTROL_PLANE),
    needs=frozenset({"network-policy"}),
    settle=(Settle(RAW_X.get(EXAMPLE, resolve=f"{OPEN_ADDRESS}:80"), shut()),),
)

UNREACHABLE = re.compile(r":15012.*(refused|timeout|deadline|unreachable)")
"""How the proxy's agent says that it does not reach the control plane on its port."""
WATCH_S = 6.0
"""How long the proxy is seen not to become ready; with the policy it takes about two seconds."""


@pytest.fixture(scope="module")
def restarted(stage):
    """A new pod of test, which will not be ready; taken back before the policies are."""
    before = rollout.restart(stage.world, "team-x", "test", wait=False)
    yield
    rollout.take_back(stage.world, "team-x", "test", before)


@pytest.mark.control("EGR-NETPOL-06")
@pytest.mark.usefixtures("restarted")
def test_restarted_workload_does_not_become_ready(observe, stage):
    seen_at: dict[str, float] = {}

    def problem():
        pods = rollout.pods(stage.world, "team-x", "test")
        new = pods[-1]
        if len(pods) < 2 or not rollout.proxy_started(stage.world, new):
            return f"the proxy of the new pod has not started, pods: {', '.join(map(str, pods))}"
        if new.ready:
            return f"pod {new} is ready"
        watched_s = time.monotonic() - seen_at.setdefault(str(new), time.monotonic())
        if watched_s < WATCH_S:
            return f"pod {new} is not ready yet, but its proxy is only just started"
        log = mesh.log_lines(stage.world.cluster, new, SIDECAR)
        if not any(UNREACHABLE.search(line) for line in log):
            return f"the proxy of {new} does not say that it cannot reach the control plane"
        return request_problem(stage, new)

    expected = "the new pod stays unready, its proxy cannot reach the control plane, and requests from it fail"
    observe("EGR-NETPOL-06", expected, problem)


def request_problem(stage, pod):
    """None when a request of the application fails, or the application is not even started."""
    command = ["curl", "--disable", "--silent", "--max-time", "2", "--output", "/dev/null", EXAMPLE]
    try:
        code = exec_once(stage.world.cluster, pod, "test", command).exit_code
    except InfrastructureError:
        return None if not rollout.started(stage.world, pod, "test") else "the application could not be asked"
    return None if code else f"{EXAMPLE} answers"
