"""The lease: one run at a time, whoever holds it is named, and a dead one is taken over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import nullcontext
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.kube import lease as leases
from clients.kube.lease import RunLease
from clients.model.errors import ConflictError
from runner.commands.cleanup import refuse_while_in_use

pytestmark = pytest.mark.unit

KEY = ("Lease", "default", "meshproof")


def lease(cluster: FakeCluster, holder: str = "ann@host", **more: Any) -> RunLease:
    return RunLease(cluster, holder, run="run-1", **more)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def test_it_is_there_while_held_and_gone_afterwards(cluster: FakeCluster):
    with lease(cluster):
        assert cluster.store[KEY]["spec"]["holderIdentity"] == "ann@host"
        assert cluster.store[KEY]["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "meshproof"}
    assert KEY not in cluster.store


def test_a_second_run_is_told_who_holds_it(cluster: FakeCluster):
    with lease(cluster), pytest.raises(ConflictError, match="in use by ann@host since 1970-01-01T00:16:40Z"):
        lease(cluster, "bob@host").acquire()


def test_an_expired_one_is_taken_over(cluster: FakeCluster):
    dead = lease(cluster)
    dead.acquire()
    cluster.now += 59
    with pytest.raises(ConflictError):
        lease(cluster, "bob@host").acquire()
    cluster.now += 2
    with lease(cluster, "bob@host"):
        assert cluster.store[KEY]["spec"]["holderIdentity"] == "bob@host"
        dead.release()
        assert KEY in cluster.store, "the dead one's release must not free another's lease"


def test_that_of_a_dead_run_is_removed_and_no_other(cluster: FakeCluster):
    lease(cluster).acquire()
    assert not leases.remove(cluster, "run-2")
    assert KEY in cluster.store
    assert leases.remove(cluster, "run-1")
    assert KEY not in cluster.store
    assert not leases.remove(cluster, "run-1")


def test_a_renewed_one_is_not_expired(cluster: FakeCluster):
    with lease(cluster) as held:
        cluster.now += 50
        held.renew()
        cluster.now += 50
        with pytest.raises(ConflictError):
            lease(cluster, "bob@host").acquire()


def test_it_is_renewed_by_itself_and_a_loss_is_known(cluster: FakeCluster):
    held = lease(cluster, duration_s=0.03)
    held.acquire()
    del cluster.store[KEY]
    held._thread.join(timeout=5)
    assert held.lost
    held.release()


def test_two_at_the_same_moment_do_not_both_get_it(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch):
    with lease(cluster):
        monkeypatch.setattr(cluster, "get", lambda *_: None)  # the second looked before the first had made it
        with pytest.raises(ConflictError, match="at the same moment"):
            lease(cluster, "bob@host").acquire()


def test_the_holder_is_told_until_the_lease_expires(cluster: FakeCluster):
    assert leases.holder(cluster) == ""
    lease(cluster).acquire()
    assert leases.holder(cluster) == "ann@host"
    cluster.now += 61
    assert leases.holder(cluster) == ""


@pytest.mark.parametrize(
    ("holder", "refused"),
    [
        (f"ann@{socket.gethostname()} pid {os.getpid()}", True),
        (f"ann@{socket.gethostname()} pid 4999999", False),
        ("ann@elsewhere pid 4999999", True),
    ],
    ids=["at work here", "dead here", "on another machine"],
)
def test_a_clean_up_spares_a_run_that_is_still_at_work(cluster: FakeCluster, holder: str, refused: bool):
    lease(cluster, holder).acquire()
    with pytest.raises(ConflictError, match="in use by") if refused else nullcontext():
        refuse_while_in_use(cluster)


def test_a_run_that_died_and_that_nobody_has_noticed_is_not_at_work(cluster: FakeCluster):
    died = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, died.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the table of processes
    lease(cluster, f"ann@{socket.gethostname()} pid {died.pid}").acquire()
    try:
        refuse_while_in_use(cluster)
    finally:
        died.wait()
