"""The network policies without the one for the control plane: a new proxy is not configured and never ready."""

from __future__ import annotations

import time

import pytest

from clients.kube.exec import exec_once
from clients.kube.pods import SIDECAR
from clients.model.addresses import joined
from clients.model.expect import status
from clients.model.stage import Settle, Stage
from suites.egress import rollout
from suites.egress.workloads import (
    ENVIRONMENT,
    EXAMPLE,
    OPEN,
    OPEN_ADDRESS,
    RAW_X,
    S9,
    SHELL,
    SHUT_AFTER_S,
    TO_CONTROL_PLANE,
    shut,
)

PAST = RAW_X.get(EXAMPLE, resolve=f"{OPEN_ADDRESS}:80", timeout_s=SHUT_AFTER_S)

STAGE = Stage(
    "egress-s9-without-control-plane",
    title="Network policies without istiod's rule: new pods never get ready",
    environment=ENVIRONMENT,
    apply=tuple(path for path in S9 if path != TO_CONTROL_PLANE),
    needs=OPEN | {"network-policy", "istiod"},
    settle=(
        Settle(RAW_X.get(EXAMPLE, resolve=f"{OPEN_ADDRESS}:80", timeout_s=SHUT_AFTER_S), shut(), before=status(200)),
    ),
)

WATCH_S = 4.0
"""Seconds for which the proxy must stay unready; with the policy it is ready after about two."""


@pytest.fixture(scope="module")
def restarted(stage):
    """A new pod of test, which will not become ready; the restart is undone before the policies are deleted."""
    before = rollout.restart(stage.rig, "team-x", "test", wait=False)
    yield
    rollout.take_back(stage.rig, "team-x", before)


@pytest.mark.control("EGR-NETPOL-06", needs=SHELL)
@pytest.mark.usefixtures("restarted")
def test_restarted_workload_does_not_become_ready(observe, stage):
    seen_at: dict[str, float] = {}
    reached: dict[str, str | None] = {}

    def problem():
        pods = rollout.pods(stage.rig, "team-x", "test")
        new = pods[-1]
        if len(pods) < 2:
            return f"pod {new} is ready, and the old one has gone" if new.ready else f"pod {new} is the only one"
        if not rollout.proxy_started(stage.rig, new):
            return f"the proxy of the new pod has not started, pods: {', '.join(map(str, pods))}"
        if new.ready:
            return f"pod {new} is ready"
        watched_s = time.monotonic() - seen_at.setdefault(str(new), time.monotonic())
        if reached.get(str(new), "not asked"):
            reached[str(new)] = what_it_reaches(stage, new)  # this takes a while, in which it might become ready
        if not reached[str(new)] and watched_s < WATCH_S:
            return f"pod {new} is not ready yet, but its proxy is only just started"
        return reached[str(new)]

    expected = "the new pod stays unready, its proxy cannot reach the control plane, and requests from it fail"
    observe("EGR-NETPOL-06", expected, problem)


def what_it_reaches(stage, pod):
    """What the pod reaches but must not, control plane or external host; None when neither."""
    if reaches(stage, pod, SIDECAR, control_plane(stage)):
        return f"the proxy of {pod} reaches the control plane"
    if rollout.started(stage.rig, pod, "test") and reaches(stage, pod, "test", EXAMPLE):
        return f"{EXAMPLE} answers the application in {pod}"
    return None


def control_plane(stage):
    """URL at which proxies get their configuration."""
    mesh = stage.rig.mesh
    service = stage.rig.cluster.get("v1", "Service", mesh.service, mesh.control_namespace)
    return f"https://{joined(service['spec']['clusterIP'], 15012)}"


def reaches(stage, pod, container, url):
    """Whether a connection is established; the control plane may still refuse its TLS."""
    command = ["curl", "--disable", "--silent", "--insecure", "--max-time", "2", "--output", "/dev/null", url]
    result = exec_once(stage.rig.cluster, pod, container, [*command, "--write-out", "%{time_connect}"])
    return float(result.stdout) > 0 and (container == SIDECAR or result.exit_code == 0)
