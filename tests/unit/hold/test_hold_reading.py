"""Looks at held traffic: of what its processes write, that which is new; the cluster is a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.hold import held as holding
from clients.hold import reading
from clients.hold.flows import FLOWS
from clients.hold.held import HOME, NAMESPACES, Held
from clients.hold.seen import Seen
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.model.errors import ClusterError

pytestmark = pytest.mark.unit

START = 1_800_000_000.0
KEPT = next(flow for flow in FLOWS if flow.name == "mesh-http1-kept")
HELD = Held("hold-1", {name: name for name in NAMESPACES})


def account(pod: str, written: float, *, began: float = 0.0, lost: int = 0, ended: bool = False) -> dict[str, Any]:
    """The ConfigMap of one pod; times in seconds since the start. The pod has sent a request in each second."""
    sent = int(written - began)
    own = {"requests": sent, "outcomes": {"answered": sent - lost, "closed": lost}, "first": 0, "last_due": 0}
    own |= {"gap": [0, 0], "connects": 1, "connected": [], "runs": [], "more": lost}
    times = {"began": (START + began) * 1000, "written": (START + written) * 1000}
    text = {"by": "sender", "pod": pod, **times, "ended": ended, "flows": {KEPT.name: own}}
    meta = {"name": f"account-{pod}-{began:g}", "namespace": HOME, "labels": {"meshproof.dev/hold": "account"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"account": json.dumps(text)}}


class _TimeOfLooks:
    """A cluster whose clock goes on while a look waits; `write` is what pods write when so many seconds have passed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster: Any = FakeCluster(now=START + 60)
        marks = {"name": "hold-marks", "namespace": HOME}
        text = {"marks": json.dumps([(START, "started")])}
        self.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": marks, "data": text})
        self.write: Callable[[float], None] = lambda _: None
        self.running: tuple[str, ...] = ("one",)
        monkeypatch.setattr(reading.time, "sleep", self._pass)
        monkeypatch.setattr(reading.time, "monotonic", lambda: self.cluster.now)
        monkeypatch.setattr(holding, "running", lambda *_: frozenset(self.running))

    def _pass(self, seconds: float) -> None:
        self.cluster.now += seconds
        self.write(self.cluster.now - START)

    def look(self, earlier: Seen | None = None) -> Seen:
        return holding.check(self.cluster, HELD, earlier.pages if earlier else ())


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> _TimeOfLooks:
    return _TimeOfLooks(monkeypatch)


def each_two_seconds(course: _TimeOfLooks, pod: str, *, ahead_s: float = 0.0) -> Callable[[float], None]:
    def write(now: float) -> None:
        if now % 2 == 0:
            course.cluster.put(account(pod, now + ahead_s))

    return write


@pytest.mark.parametrize("ahead_s", [0.0, 5.0, -30.0], ids=["same clock", "clock ahead", "clock behind"])
def test_a_look_has_what_was_sent_until_it_began(ahead_s: float, course: _TimeOfLooks) -> None:
    """Also where the clock of the node is off: a page that was written before the look may have a later time."""
    course.cluster.put(account("one", 58 + ahead_s))
    course.write = each_two_seconds(course, "one", ahead_s=ahead_s)
    found = course.look()
    assert found.requests >= 60 + ahead_s, "all that was sent until the look began"
    assert not found.holes
    assert course.cluster.now - START < 66


def test_a_look_waits_for_each_pod_also_where_another_of_the_same_client_has_ended(course: _TimeOfLooks) -> None:
    """After a move: the account of the pod before is closed, and says nothing of that which follows it."""
    course.cluster.put(account("one", 50, ended=True), account("two", 58, began=49))
    course.running = ("two",)
    course.write = lambda now: course.cluster.put(account("two", now, began=49)) if now % 2 == 0 else None
    found = course.look()
    assert (found.requests, found.holes) == (50 + 13, ())


def test_a_pod_that_does_not_write_is_not_observed(course: _TimeOfLooks) -> None:
    course.cluster.put(account("one", 50))
    [hole] = course.look().holes
    assert (hole.by, hole.start) == ("sender", START + 50)


@pytest.mark.parametrize(("ended", "unknown"), [(False, [58, 59]), (True, [])], ids=["killed", "asked to end"])
def test_what_a_process_wrote_before_its_container_started_again_counts(
    ended: bool, unknown: list[int], course: _TimeOfLooks
) -> None:
    """What was killed may have seen more than it wrote."""
    course.cluster.put(account("one", 58, lost=3, ended=ended), account("one", 60, began=59))
    course.write = lambda now: course.cluster.put(account("one", now, began=59)) if now % 2 == 0 else None
    found = course.look()
    assert (found.lost, found.requests) == (3, 58 + 3)
    assert [(hole.start - START, hole.end - START) for hole in found.holes] == [tuple(unknown)] * bool(unknown)


def test_a_look_waits_for_the_process_that_runs_in_the_pod_now(course: _TimeOfLooks) -> None:
    """Two accounts of a pod, one of which does not change any more, are no news of each other."""
    course.cluster.put(account("one", 40), account("one", 58, began=41))
    course.write = lambda now: course.cluster.put(account("one", now, began=41)) if now >= 68 and now % 2 == 0 else None
    assert course.look().until - START >= 68
    course.write = lambda _: None
    found = course.look()
    assert found.holes, "the process has not written for 15 s"


def test_what_an_image_of_before_has_written_over_is_kept(course: _TimeOfLooks) -> None:
    """Its accounts have the name of the pod: a container that starts again writes over that of the one before."""
    course.cluster.put(account("one", 58, lost=3))
    course.write = lambda now: course.cluster.put(account("one", now, lost=3)) if now % 2 == 0 else None
    first = course.look()
    course.cluster.store.pop(("ConfigMap", HOME, "account-one-0"))
    course.write = lambda now: course.cluster.put(account("one", now, began=63)) if now % 2 == 0 else None
    second = course.look(first)
    assert (first.lost, second.lost) == (3, 3)
    assert second.requests > first.requests
    alone = course.look()
    assert (alone.lost, len(alone.holes)) == (0, 1), "without the first look, all before is unknown"


@pytest.mark.parametrize("data", [{"account": "{"}, {}, None])
def test_a_damaged_account_is_named(data: Any, course: _TimeOfLooks) -> None:
    course.running = ()
    course.cluster.put(account("one", 60), {**account("two", 60), "data": data})
    found = course.look()
    assert (found.unread, found.certain) == ((f"{HOME}/account-two-0",), False)


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '{"a": 1}', '[["x", "y"]]'])
def test_damaged_marks_are_an_error(text: str, course: _TimeOfLooks) -> None:
    course.cluster.store[("ConfigMap", HOME, "hold-marks")]["data"] = {"marks": text}
    with pytest.raises(ClusterError, match="marks of the held traffic hold-1"):
        course.look()


def test_what_was_written_before_the_start_does_not_count(course: _TimeOfLooks) -> None:
    """A pod that was replaced while the traffic was deployed has seen its start."""
    course.running = ()
    course.cluster.put(account("none", -5, began=-20, lost=9), account("one", 60, ended=True))
    assert course.look().lost == 0


def test_two_that_started_at_once_are_removed_one_after_the_other(course: _TimeOfLooks) -> None:
    """Each `hold start` saw none: what `hold stop` found had the name of one and the namespaces of the other."""
    for run in ("a", "b"):
        for name in NAMESPACES:
            labels = {"meshproof.dev/hold": "held", MANAGED_BY_LABEL: MANAGER, RUN_LABEL: f"hold-{run}"}
            meta = {"name": f"mp-{run}-{name}", "labels": labels}
            course.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    for run in ("a", "b"):
        found = holding.find(course.cluster)
        assert found is not None
        assert (found.id, set(found.namespaces.values())) == (
            f"hold-{run}",
            {f"mp-{run}-{name}" for name in NAMESPACES},
        )
        holding.stop(course.cluster, found)
    assert holding.find(course.cluster) is None
