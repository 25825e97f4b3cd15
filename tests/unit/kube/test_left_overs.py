"""On a shared cluster an end-to-end test reports and removes what it left itself, and nothing of others."""

from __future__ import annotations

import os
import socket

import pytest
from cluster_fakes import FakeCluster

from clients.kube.cleanup import Leftover
from clients.kube.lease import RunLease
from tests import left_overs

pytestmark = pytest.mark.unit


def namespace(name: str, run: str) -> Leftover:
    return Leftover("v1", "Namespace", "", name, run, uid=f"uid-{name}")


LEASE = Leftover("coordination.k8s.io/v1", "Lease", "default", "meshproof", "", uid="uid-lease")
EARLIER, OTHERS, OWN = namespace("mp-a", "killed"), namespace("mp-b", "others"), namespace("mp-c", "own")


def test_what_was_there_and_what_another_run_makes_is_not_the_tests() -> None:
    now = [EARLIER, OTHERS, OWN, LEASE]
    assert left_overs.of_this_test([EARLIER], now, "others") == [OWN]


def test_a_lease_that_no_other_run_holds_is_the_tests() -> None:
    assert left_overs.of_this_test([], [OTHERS, LEASE], "") == [OTHERS, LEASE]


@pytest.mark.parametrize(("pid", "run"), [(os.getpid(), "others"), (4999999, "")], ids=["goes on", "killed"])
def test_only_a_run_that_goes_on_is_anothers(pid: int, run: str) -> None:
    cluster = FakeCluster()
    held = RunLease(cluster, f"ann@{socket.gethostname()} pid {pid}", run="others")  # type: ignore[arg-type]
    held.acquire()
    try:
        assert left_overs.others_run(cluster) == run  # type: ignore[arg-type]
    finally:
        held.release()
    assert left_overs.others_run(cluster) == ""  # type: ignore[arg-type]


def test_only_what_is_named_is_removed() -> None:
    cluster = FakeCluster()
    for one in (OTHERS, OWN):
        cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one.name, "uid": one.uid}})
    left_overs.remove(cluster, [OWN])  # type: ignore[arg-type]
    assert list(cluster.store) == [("Namespace", "", "mp-b")]
