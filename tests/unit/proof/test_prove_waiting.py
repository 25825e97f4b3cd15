"""Waiting within a proof: confirmations, replicas, budgets, markers, and the times that evidence states."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeRig, answered
from convergence_fakes import FakeTime
from proving_fakes import ALLOWED, DENIAL, REFUSED, SUBJECT, make_rig, observation, prove, texts

from clients.model.case import Case
from clients.model.evidence import Applied, Grade, Verdict
from clients.model.expect import status
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.outcome import Outcome
from clients.model.probe import Probe
from clients.model.stage import Observation, Stage
from clients.probe.converge import converge
from clients.probe.convergence import ConvergencePolicy
from clients.proof import prove as proof

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]


def test_without_a_change_times_count_from_the_cases_own_start():
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), changed_at=time.monotonic() - 60)
    assert evidence.time_to_stable_s is not None
    assert evidence.time_to_stable_s < 10
    changed = (Applied("m", "k", "", "n", ""),)
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), changed_at=time.monotonic() - 60, applied=changed)
    assert evidence.time_to_stable_s is not None
    assert evidence.time_to_stable_s > 50


def test_too_few_confirmations_are_inconclusive_and_state_the_error_rate_that_they_reach(
    monkeypatch: pytest.MonkeyPatch,
):
    clock = FakeTime()

    def slowly(_: Probe, request_id: str) -> Outcome:
        clock.now += 2.0
        return answered(200, request_id)

    monkeypatch.setattr(proof, "converge", partial(converge, clock=clock.clock, sleep=clock.sleep))
    rig = FakeRig(slowly, policy=ConvergencePolicy(budget_s=3.0, poll_s=0.1, window_s=0.0))
    rig.required_confirmations = lambda *_: 400  # type: ignore[method-assign]
    evidence = prove(rig, Case("X-1", ALLOWED, status(200)))
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "probes were too slow for 400 confirmations" in evidence.reason
    assert "may be left with a probability of 0.2, and 0.0001 is wanted" in evidence.reason


GROWN = "2 replicas are behind httpbin.mtls-service now; the 3 confirmations were derived for fewer, and 37 are needed"


def growing(monkeypatch: pytest.MonkeyPatch, *needed: int) -> FakeRig:
    """A second replica that appears once the confirmations were derived."""
    rig, derived = make_rig(), iter(needed)
    monkeypatch.setattr(rig, "required_confirmations", lambda probe: next(derived))
    monkeypatch.setattr(rig, "replicas", lambda probe: 2)
    return rig


def test_a_replica_that_came_later_leaves_too_few_confirmations(monkeypatch: pytest.MonkeyPatch):
    evidence = prove(growing(monkeypatch, 3, 37), Case("X-1", ALLOWED, status(200)))
    assert (evidence.verdict, evidence.reason) == (Verdict.INCONCLUSIVE, f"replicas: {GROWN}")


def test_a_failure_says_that_a_replica_came_later(monkeypatch: pytest.MonkeyPatch):
    evidence = prove(growing(monkeypatch, 3, 37), Case("X-1", ALLOWED, status(404)))
    assert evidence.verdict is Verdict.FAIL
    assert evidence.reason.startswith("expected 404, saw 200")
    assert evidence.reason.endswith(f"; {GROWN}")


def test_fewer_replicas_than_before_are_no_matter(monkeypatch: pytest.MonkeyPatch):
    assert prove(growing(monkeypatch, 37, 3), Case("X-1", ALLOWED, status(200))).verdict is Verdict.PASS


@pytest.mark.parametrize(("conclusive", "verdict"), [(True, Verdict.FAIL), (False, Verdict.INCONCLUSIVE)])
def test_a_wrong_state_before_the_change_decides(conclusive: bool, verdict: Verdict):
    rig = make_rig()
    before = observation(problem="expected 200, saw 503", conclusive=conclusive)
    evidence = prove(rig, DENIAL, baselines={"X-2": before})
    assert (evidence.verdict, evidence.reason) == (verdict, "before the change: expected 200, saw 503")
    assert rig.sent == []


def test_a_change_that_never_arrived_decides():
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), settled=(observation(problem="saw 200"),))
    assert (evidence.verdict, evidence.reason) == (Verdict.FAIL, "settled 1: saw 200")


def test_attempts_while_the_stage_settled_are_the_first_of_the_case():
    settled = replace(observation(first_s=0.2, stable_s=0.7, flaps=1), expect=DENIAL.expect)
    evidence = prove(make_rig(), DENIAL, settled=(settled,), changed_at=settled.at)
    assert (evidence.time_to_first_s, evidence.time_to_stable_s, evidence.flaps) == (0.2, 0.7, 1)


def test_the_evidence_of_a_case_that_was_not_tried_has_the_reason():
    evidence = proof.not_tried(SUBJECT, "the environment could not be made")
    assert (evidence.verdict, evidence.reason) == (Verdict.INCONCLUSIVE, "the environment could not be made")
    assert evidence.observed == "nothing: the case was not tried"


def test_another_outcome_of_the_same_request_seen_settling_is_not_the_cases_own():
    settled = replace(observation(first_s=0.2, stable_s=0.7, flaps=1), expect=status(200))
    evidence = prove(make_rig(), DENIAL, settled=(settled,), changed_at=settled.at)
    assert (evidence.verdict, evidence.flaps) == (Verdict.PASS, 0)
    assert evidence.time_to_first_s != 0.2


def test_a_case_may_have_less_time_than_the_run_allows() -> None:
    rig = FakeRig(lambda _, request_id: answered(200, request_id))
    running = SimpleNamespace(
        rig=rig,
        stage=Stage("s"),
        applied=(),
        changed_at=0.0,
        baselines={},
        settled=(),
        worker="",
        since=0.0,
        marked=lambda case: (),
    )
    evidence = proof.prove_case(running, DENIAL, SUBJECT, budget_s=0.1)  # type: ignore[arg-type]
    assert evidence.verdict is Verdict.FAIL
    assert 0.1 <= evidence.duration_s < 0.15 < rig.certainty.policy.budget_s


def marked(state: MarkerState, **more: Any) -> Any:
    """A running stage's `marked`, with one marker in this state."""
    return lambda case: (MarkerRecord("mtls-service/httpbin", state, "how it was", **more),)


@pytest.mark.parametrize(
    ("state", "verdict", "grade"),
    [
        (MarkerState.SEEN, Verdict.PASS, Grade.FULL),
        (MarkerState.MISSING, Verdict.INCONCLUSIVE, None),
        (MarkerState.UNAVAILABLE, Verdict.PASS, Grade.REDUCED),
    ],
)
def test_an_unchanged_outcome_is_judged_by_its_marker(state, verdict, grade):
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), marked=marked(state))
    assert (evidence.verdict, evidence.grade) == (verdict, grade)
    assert "mtls-service/httpbin: how it was" in texts(evidence)["marker"]
    assert evidence.markers[0].state is state


def test_a_contrary_outcome_without_its_marker_names_both():
    evidence = prove(make_rig(), Case("X-1", REFUSED, status(200)), marked=marked(MarkerState.MISSING))
    assert evidence.verdict is Verdict.FAIL
    assert "expected 200, saw 403" in evidence.reason
    assert "marker at mtls-service/httpbin: how it was" in evidence.reason


def test_the_times_are_those_of_the_whole_wait():
    """Budget 0.3 s: a case that is stable at once is slow all the same where its marker came late."""
    changed = (Applied("m", "k", "", "n", ""),)
    case = Case("X-1", ALLOWED, status(200))
    late = marked(MarkerState.SEEN, first_s=0.24, stable_s=0.25)
    evidence = prove(make_rig(), case, marked=late, applied=changed)
    assert evidence.slow
    assert evidence.duration_s >= 0.25
    assert evidence.time_to_stable_s is not None
    assert evidence.time_to_stable_s >= 0.25
    assert not prove(make_rig(), case, applied=changed).slow


def test_a_case_is_slow_whose_stage_was_slow_to_settle():
    changed_at = time.monotonic()
    settled = Observation(REFUSED, status(403), changed_at, first_s=0.2, stable_s=0.26)
    case = Case("X-1", ALLOWED, status(200))
    evidence = prove(make_rig(), case, settled=(settled,), changed_at=changed_at)
    assert evidence.slow
    # what had settled before a further change belongs to that earlier one
    assert not prove(make_rig(), case, settled=(settled,), changed_at=changed_at + 1).slow
