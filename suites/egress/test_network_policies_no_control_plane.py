"""The network policies without the one for the control plane: a new proxy gets no configuration and is never ready."""

from __future__ import annotations

import time

import pytest

from clients.errors import InfrastructureError
from clients.exec import exec_once
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

TIMES = 3
"""A pod counts as never ready when it is not, this many times after what the pod before it took."""
AT_LEAST_S = 6.0


@pytest.fixture(scope="module")
def restarted(stage):
    """New pods of test, which will not be ready; taken back before the policies are. Yields how long to watch, in s."""
    usual = rollout.seconds_to_ready(stage.world, "team-x", "test")
    rollout.restart(stage.world, "team-x", "test", wait=False)
    yield max(AT_LEAST_S, TIMES * usual)
    rollout.take_back(stage.world, "team-x", "test")


@pytest.mark.control("EGR-NETPOL-06")
def test_restarted_workload_does_not_become_ready(observe, stage, restarted):
    seen_at: dict[str, float] = {}

    def problem():
        pods = rollout.pods(stage.world, "team-x", "test")
        new = pods[-1]
        if len(pods) < 2 or not rollout.proxy_started(stage.world, new):
            return f"the proxy of the new pod has not started, pods: {', '.join(map(str, pods))}"
        if new.ready:
            return f"pod {new} is ready"
        watched_s = time.monotonic() - seen_at.setdefault(str(new), time.monotonic())
        if watched_s < restarted:
            return f"pod {new} is not ready yet, {watched_s:.1f} s after its proxy started"
        return request_problem(stage, new)

    expected = f"the new pod is not ready {restarted:.0f} s after its proxy started, and requests from it fail"
    observe("EGR-NETPOL-06", expected, problem)


def request_problem(stage, pod):
    """None when a request of the application fails, or the application is not even started."""
    command = ["curl", "--disable", "--silent", "--max-time", "2", "--output", "/dev/null", EXAMPLE]
    try:
        code = exec_once(stage.world.cluster, pod, "test", command).exit_code
    except InfrastructureError:
        return None if not rollout.started(stage.world, pod, "test") else "the application could not be asked"
    return None if code else f"{EXAMPLE} answers"
