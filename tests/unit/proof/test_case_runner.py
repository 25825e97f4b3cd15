"""Cases in parallel: each has its own evidence, and no thread waits for evidence that is no longer needed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeRig, answered

from clients.model.case import Case
from clients.model.errors import AbandonedError
from clients.model.evidence import Evidence, Subject
from clients.model.expect import status
from clients.proof import prove
from clients.proof.case_runner import CaseJob, CaseRunner

pytestmark = pytest.mark.unit


def case(name: str) -> Case:
    return Case("X-1", CLIENT.get(f"http://httpbin.mtls-service/{name}"), status(200), variant=name)


def job(one: Case) -> CaseJob:
    return CaseJob(one, Subject(control=one.control, id=one.id))


def running() -> Any:
    rig = FakeRig(lambda _, name: answered(200, name))
    return SimpleNamespace(rig=rig, worker="gw0", reach=lambda step: None)


def test_cases_are_proven_in_parallel_and_each_has_its_own_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    all_there = threading.Barrier(3, timeout=5)

    def proven(_: Any, one: Case, subject: Subject, confirmations: int | None, *__: object) -> Evidence:
        all_there.wait()
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    cases = [case(name) for name in "abc"]
    with CaseRunner(running(), [job(one) for one in cases]) as case_runner:
        assert [case_runner.evidence(job(one)).id for one in cases] == ["X-1[a]", "X-1[b]", "X-1[c]"]


def test_an_unknown_job_is_proven_when_its_evidence_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def proven(_: Any, one: Case, subject: Subject, confirmations: int | None, *__: object) -> Evidence:
        asked.append(threading.current_thread().name)
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    with CaseRunner(running(), []) as case_runner:
        assert case_runner.evidence(job(case("a"))).id == "X-1[a]"
    assert len(asked) == 1


def test_the_cases_of_a_step_start_together_when_one_is_requested_and_all_earlier_ones_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []
    there = running()
    there.reach = lambda step: events.append(f"step {step}")
    all_there = threading.Barrier(2, timeout=5)

    def proven(_: Any, one: Case, subject: Subject, confirmations: int | None, *__: object) -> Evidence:
        all_there.wait()
        events.append(one.step or "first")
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    cases = [case("a"), case("b"), replace(case("c"), step="two"), replace(case("d"), step="two")]
    with CaseRunner(there, [job(one) for one in cases]) as case_runner:
        assert [case_runner.evidence(job(one)).id for one in cases] == [
            "X-1[a]",
            "X-1[b]",
            "X-1[c]",
            "X-1[d]",
        ]
    assert events == ["first", "first", "step two", "two", "two"]


def test_waiting_ends_when_all_are_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def proven(_: Any, one: Case, subject: Subject, confirmations: int | None, *__: object) -> Evidence:
        time.sleep(0.05)
        done.append(one.id)
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    with CaseRunner(running(), [job(case(name)) for name in "abc"], threads=1) as case_runner:
        case_runner.wait()
        assert len(done) == 3


def test_after_dismissal_a_case_stops_at_its_next_probe_and_no_other_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    ended: list[str] = []
    there = running()

    def proven(_: Any, one: Case, subject: Subject, confirmations: int | None, *__: object) -> Evidence:
        started.append(one.id)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if there.rig.prober.abandoned.is_set():
                ended.append(one.id)
                raise AbandonedError
            time.sleep(0.005)
        raise AssertionError("it was not stopped")

    monkeypatch.setattr(prove, "prove_case", proven)
    case_runner = CaseRunner(there, [job(case(name)) for name in "ab"], threads=1)
    while not started:
        time.sleep(0.005)
    case_runner.dismiss()
    assert (started, ended) == (["X-1[a]"], ["X-1[a]"])
    assert not there.rig.prober.abandoned.is_set()


def test_a_step_is_taken_when_all_cases_before_it_are_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first that is asked for is a case of the step: the others are about the state that it ends."""
    events: list[str] = []
    there = running()
    there.reach = lambda step: events.append(f"step {step}")

    def proven(_: Any, one: Case, subject: Subject, confirmations: int | None, *__: object) -> Evidence:
        time.sleep(0.05)
        events.append(one.id)
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    later = replace(case("b"), step="two")
    with CaseRunner(there, [job(case("a")), job(later)]) as case_runner:
        case_runner.evidence(job(later))
    assert events == ["X-1[a]", "step two", "X-1[b]"]


def test_a_job_may_limit_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float | None] = []

    def proven(_: Any, __: Case, subject: Subject, confirmations: int | None, budget_s: float | None) -> Evidence:
        limits.append(budget_s)
        return prove.not_tried(subject, "")

    monkeypatch.setattr(prove, "prove_case", proven)
    jobs = [job(case("a")), replace(job(case("b")), budget_s=4.0)]
    with CaseRunner(running(), jobs, threads=1) as case_runner:
        for one in jobs:
            case_runner.evidence(one)
    assert limits == [None, 4.0]
