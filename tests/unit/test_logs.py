"""Logs that are complete up to a request: which are read, and which are not waited for twice."""

from __future__ import annotations

import time

import pytest
from cluster_fakes import FakeCluster, entry

from clients import logs
from clients.logs import Source
from clients.pods import Pod

pytestmark = pytest.mark.unit

POD = Pod("channels", "channels-1", containers=("cart", "echo", "istio-proxy"), ready=True)
SIDECAR, ECHO, CART = (Source(POD, name) for name in ("istio-proxy", "echo", "cart"))


def cluster(*lines: str) -> FakeCluster:
    """The sidecar has logged these, and nobody else anything."""
    return FakeCluster(logs_of={("channels-1", "istio-proxy"): list(lines)})


def read(there: FakeCluster, silent: set[Source] | None = None, budget_s: float = 0.2) -> logs.Reading:
    return logs.read_up_to(
        there,  # type: ignore[arg-type]
        [POD],
        lambda: ["mp-r1-1"],
        since_s=lambda: 1,
        budget_s=budget_s,
        silent=silent,
    )


PASSED = entry("mp-r1-1", "200", "-", "10.0.0.9:7070")


def test_a_log_that_told_nothing_is_not_waited_for_again():
    there, silent = cluster(PASSED), set[Source]()
    assert list(read(there, silent).lines) == [SIDECAR]
    assert silent == {CART, ECHO}
    began = time.monotonic()
    assert list(read(there, silent, budget_s=5.0).lines) == [SIDECAR]
    assert time.monotonic() - began < 1.0


def test_a_pod_of_which_nothing_is_seen_stays_missing():
    there, silent = cluster(), set[Source]()
    assert read(there, silent).missing == ("channels/channels-1",)
    assert not silent
    there = cluster(PASSED)
    assert read(there, silent).missing == ()


def test_what_reached_the_application_is_told_by_the_sidecar_alone():
    there = cluster(
        PASSED, entry("mp-r1-2", "403", "rbac_access_denied", "-"), entry("mp-r1-3", "200", "-", "10.0.0.9:1")
    )
    assert read(there, {CART, ECHO}).reached({"mp-r1-2", "mp-r1-3"}) == {"mp-r1-3"}
