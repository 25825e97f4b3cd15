"""Cases side by side: each gets its own evidence, and nobody waits for what nobody wants any more."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeWorld, answered

from clients.model.case import Case
from clients.model.errors import AbandonedError
from clients.model.evidence import Evidence
from clients.model.expect import status
from clients.proof import verify
from clients.proof.case_runner import CaseJob, CaseRunner
from clients.proof.verify import Facts

pytestmark = pytest.mark.unit


def case(name: str) -> Case:
    return Case("X-1", CLIENT.get(f"http://httpbin.mtls-service/{name}"), status(200), variant=name)


def running() -> Any:
    return SimpleNamespace(world=FakeWorld(lambda _, name: answered(200, name)))


def test_cases_are_under_way_at_once_and_each_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    all_there = threading.Barrier(3, timeout=5)

    def proven(_: Any, one: Case, facts: Facts, confirmations: int | None) -> Evidence:
        all_there.wait()
        return verify.unproven(one, facts, "")

    monkeypatch.setattr(verify, "prove", proven)
    cases = [case(name) for name in "abc"]
    with CaseRunner(running(), [CaseJob(one, Facts()) for one in cases]) as case_runner:
        assert [case_runner.evidence(CaseJob(one, Facts())).id for one in cases] == ["X-1[a]", "X-1[b]", "X-1[c]"]


def test_what_was_not_begun_is_proven_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def proven(_: Any, one: Case, facts: Facts, confirmations: int | None) -> Evidence:
        asked.append(threading.current_thread().name)
        return verify.unproven(one, facts, "")

    monkeypatch.setattr(verify, "prove", proven)
    with CaseRunner(running(), []) as case_runner:
        assert case_runner.evidence(CaseJob(case("a"), Facts())).id == "X-1[a]"
    assert asked == [threading.current_thread().name]


def test_cases_of_a_step_are_begun_together_when_one_is_asked_for_and_all_of_the_step_before_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    there = running()
    there.reach = lambda step: told.append(f"step {step}")
    all_there = threading.Barrier(2, timeout=5)

    def proven(_: Any, one: Case, facts: Facts, confirmations: int | None) -> Evidence:
        all_there.wait()
        told.append(one.step or "first")
        return verify.unproven(one, facts, "")

    monkeypatch.setattr(verify, "prove", proven)
    cases = [case("a"), case("b"), replace(case("c"), step="two"), replace(case("d"), step="two")]
    with CaseRunner(there, [CaseJob(one, Facts()) for one in cases]) as case_runner:
        assert [case_runner.evidence(CaseJob(one, Facts())).id for one in cases] == [
            "X-1[a]",
            "X-1[b]",
            "X-1[c]",
            "X-1[d]",
        ]
    assert told == ["first", "first", "step two", "two", "two"]


def test_waiting_ends_when_all_are_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def proven(_: Any, one: Case, facts: Facts, confirmations: int | None) -> Evidence:
        time.sleep(0.05)
        done.append(one.id)
        return verify.unproven(one, facts, "")

    monkeypatch.setattr(verify, "prove", proven)
    with CaseRunner(running(), [CaseJob(case(name), Facts()) for name in "abc"], threads=1) as case_runner:
        case_runner.wait()
        assert len(done) == 3


def test_who_is_dismissed_stops_at_the_next_probe_and_what_waits_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    ended: list[str] = []
    there = running()

    def proven(_: Any, one: Case, facts: Facts, confirmations: int | None) -> Evidence:
        begun.append(one.id)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if there.world.abandoned.is_set():
                ended.append(one.id)
                raise AbandonedError
            time.sleep(0.005)
        raise AssertionError("nobody told it to stop")

    monkeypatch.setattr(verify, "prove", proven)
    case_runner = CaseRunner(there, [CaseJob(case(name), Facts()) for name in "ab"], threads=1)
    while not begun:
        time.sleep(0.005)
    case_runner.dismiss()
    assert (begun, ended) == (["X-1[a]"], ["X-1[a]"])
    assert not there.world.abandoned.is_set()
