"""The lease: one run at a time, its holder is named, and a dead one is taken over."""

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
from clients.kube.api import RequestError
from clients.kube.holder import holder_here
from clients.kube.lease import RunLease
from clients.model.errors import AccessError, ClusterError, ConflictError
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


class SteppedTime:
    """A clock that goes on when a thread waits. `script` says what happens before each wait's end.

    Args:
        until: seconds after which the run gives its lease back.
    """

    def __init__(self, until: float = 1000.0, script: dict[float, Any] | None = None) -> None:
        self.now = 0.0
        self._until = until
        self._script = dict(script or {})

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        for moment in [moment for moment in self._script if moment <= self.now]:
            self._script.pop(moment)()
        return self.now >= self._until


def kept(cluster: FakeCluster, time: SteppedTime) -> tuple[RunLease, list[str]]:
    """A lease that is kept until it is lost or given back, and what was reported of its loss."""
    losses: list[str] = []
    held = lease(cluster, on_lost=losses.append)
    held.acquire()
    held.keep(time.wait, lambda: time.now)
    held.release()
    return held, losses


FORBIDDEN = AccessError("the cluster refuses PUT /apis/…/leases/meshproof: forbidden")
SILENT = ClusterError("cluster https://x does not answer: timed out")


def failing(cluster: FakeCluster, error: Exception | None) -> Any:
    """What replaces an object raises this from now on; None: no longer."""

    def begin() -> None:
        cluster.refuse_replace = error

    return begin


def test_who_may_not_renew_does_not_begin(cluster: FakeCluster):
    """`create` alone would get in, and be out after a minute without knowing it."""
    cluster.refuse_replace = FORBIDDEN
    with pytest.raises(AccessError, match="refuses PUT"):
        lease(cluster).acquire()
    assert KEY not in cluster.store, "what cannot be kept is given back at once"


def test_a_right_that_is_taken_away_loses_it_in_time(cluster: FakeCluster):
    time = SteppedTime(script={30.0: failing(cluster, FORBIDDEN)})
    held, losses = kept(cluster, time)
    assert len(losses) == 1
    assert "refuses PUT" in losses[0]
    assert held.lost == losses[0]
    assert 30 <= time.now <= 60 + 20, "before another run may take it over"


def test_a_server_that_is_away_for_a_moment_loses_nothing(cluster: FakeCluster):
    time = SteppedTime(until=300, script={19.0: failing(cluster, SILENT), 35.0: failing(cluster, None)})
    held, losses = kept(cluster, time)
    assert losses == []
    assert held.lost == ""
    assert time.now >= 300
    assert KEY not in cluster.store, "and it is given back at the end"


def test_a_server_that_stays_away_loses_it_before_it_expires(cluster: FakeCluster):
    time = SteppedTime(script={19.0: failing(cluster, SILENT)})
    _, losses = kept(cluster, time)
    assert len(losses) == 1
    assert "not renewed for" in losses[0]
    assert "does not answer" in losses[0]
    assert time.now < 60


@pytest.mark.parametrize("failure", [RequestError("PUT", 500, "etcd"), RequestError("PUT", 429, "too many")])
def test_an_error_of_the_server_is_one_that_may_pass(cluster: FakeCluster, failure: RequestError):
    passing = SteppedTime(until=300, script={19.0: failing(cluster, failure), 30.0: failing(cluster, None)})
    assert kept(cluster, passing)[1] == []
    lasting = SteppedTime(script={19.0: failing(cluster, failure)})
    assert len(kept(cluster, lasting)[1]) == 1


def test_one_that_another_run_has_taken_names_that_run(cluster: FakeCluster):
    def take() -> None:
        cluster.store[KEY]["spec"]["holderIdentity"] = "bob@host"
        cluster.put(cluster.store[KEY])

    time = SteppedTime(script={19.0: take})
    _, losses = kept(cluster, time)
    assert losses == ["bob@host holds it now"]
    assert time.now < 40, "at once: two are at work"
    assert KEY in cluster.store, "what is another's stays"


def test_one_that_was_deleted_says_so(cluster: FakeCluster):
    _, losses = kept(cluster, SteppedTime(script={19.0: lambda: cluster.store.pop(KEY)}))
    assert losses == ["it was deleted"]


def test_a_note_that_somebody_put_on_it_changes_nothing(cluster: FakeCluster):
    def annotate() -> None:
        cluster.store[KEY]["metadata"]["annotations"]["seen"] = "by an administrator"
        cluster.put(cluster.store[KEY])

    time = SteppedTime(until=100, script={19.0: annotate})
    _, losses = kept(cluster, time)
    assert losses == []
    assert KEY not in cluster.store


def test_the_holder_has_a_name_where_the_user_id_has_none(monkeypatch: pytest.MonkeyPatch):
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert holder_here() == f"uid {os.getuid()}@{socket.gethostname()} pid {os.getpid()}"
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    assert holder_here() == f"ann@{socket.gethostname()} pid {os.getpid()}"
