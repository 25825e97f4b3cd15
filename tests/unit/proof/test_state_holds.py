"""A state of the cluster: looked at until nothing is wrong; a look that could not be taken proves nothing."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeRig, answered

from clients.model.errors import ClusterError, InfrastructureError
from clients.model.evidence import Evidence, Grade, Subject, Verdict
from clients.model.expect import status
from clients.model.stage import Observation
from clients.proof.prove import prove_state
from clients.proof.steps import state

pytestmark = pytest.mark.unit

SUBJECT = Subject(control="X-A", id="X-A", polarity="state", expected="well")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "POLL_S", 0.001)


def look(problem_of: Any, budget_s: float = 0.02, running: Any = None) -> Evidence:
    return prove_state(running, SUBJECT, problem_of, budget_s=budget_s, worker="gw0")


def test_a_state_is_polled_until_nothing_is_wrong() -> None:
    problems = iter(["not yet", None])
    seen = look(lambda: next(problems), 5)
    assert (seen.verdict, seen.grade, seen.observed) == (Verdict.PASS, Grade.FULL, "as expected")
    assert [attempt.matched for attempt in seen.attempts] == [False, True]
    assert seen.attempts[0].summary == "not yet"
    assert seen.time_to_stable_s == seen.duration_s


def test_a_state_that_stays_wrong_fails_with_the_last_problem() -> None:
    seen = look(lambda: "wrong")
    assert (seen.verdict, seen.reason, seen.observed, seen.grade) == (Verdict.FAIL, "state: wrong", "wrong", None)
    assert seen.time_to_stable_s is None


@pytest.mark.parametrize("error", [InfrastructureError, ClusterError])
def test_a_look_that_cannot_be_taken_is_inconclusive(error: type[Exception]) -> None:
    def lost() -> str | None:
        raise error("pod gone")

    seen = look(lost)
    assert (seen.verdict, seen.reason) == (Verdict.INCONCLUSIVE, "state: infrastructure: pod gone")
    assert not any(attempt.ran for attempt in seen.attempts)


def test_a_problem_that_only_reads_like_a_lost_look_is_a_failure() -> None:
    assert look(lambda: "infrastructure: is what the object's label says").verdict is Verdict.FAIL


def test_a_state_of_a_stage_that_has_not_settled_is_not_looked_at() -> None:
    never = Observation(CLIENT.get("http://h/"), status(403), time.monotonic(), problem="expected 403, saw 200")
    rig = FakeRig(lambda _, name: answered(200, name))
    seen = look(lambda: pytest.fail("it was looked at"), running=SimpleNamespace(settled=(never,), rig=rig))
    assert (seen.verdict, seen.reason) == (Verdict.FAIL, "settled 1: expected 403, saw 200")
