"""Cases in parallel: each has its own evidence, and no thread waits for evidence that is no longer needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeRig, answered

from clients.identity.tokens import TokenIssuer
from clients.model.case import Case
from clients.model.errors import AbandonedError, UnreadyError
from clients.model.evidence import Evidence, Finding, FindingVerdict, Grade, Subject, Verdict
from clients.model.expect import status
from clients.proof import in_force, prove
from clients.proof.case_runner import CaseJob, CaseRunner
from clients.proof.in_force import InForce

pytestmark = pytest.mark.unit


def case(name: str) -> Case:
    return Case("X-1", CLIENT.get(f"http://httpbin.mtls-service/{name}"), status(200), variant=name)


def job(one: Case) -> CaseJob:
    return CaseJob(one, Subject(control=one.control, id=one.id))


def running() -> Any:
    rig = FakeRig(lambda _, name: answered(200, name))
    return SimpleNamespace(rig=rig, worker="gw0", reach=lambda step: None, in_force=(), settled=())


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


def test_cases_of_a_step_that_did_not_become_ready_say_why() -> None:
    error = UnreadyError("Deployment sleep is not ready in time")
    error.why = "NetworkPolicy mtls-client/shut lets nothing out"

    def reach(_: str) -> None:
        raise error

    there = running()
    there.reach = reach
    one = job(replace(case("a"), step="later"))
    with CaseRunner(there, []) as runner:
        seen = runner.evidence(one)
    assert (seen.verdict, seen.reason, seen.why) == (Verdict.INCONCLUSIVE, error.message, error.why)


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


def looked(monkeypatch: pytest.MonkeyPatch, found: Finding) -> list[list[str]]:
    """Ids of the cases before each look at what is in force, which finds this."""
    looks: list[list[str]] = []

    def look(_: Any, cases: Sequence[Case]) -> InForce:
        looks.append(sorted(one.id for one in cases))
        return InForce((found,))

    monkeypatch.setattr(in_force, "look", look)
    monkeypatch.setattr(
        prove, "prove_case", lambda _, one, subject, *__: Evidence.of(subject, Verdict.PASS, grade=Grade.FULL)
    )
    return looks


CHANGED = Finding("objects in force", "AuthorizationPolicy a/b does not exist any more", FindingVerdict.INCONCLUSIVE)


def test_what_is_in_force_is_read_back_once_after_the_last_case_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked(monkeypatch, Finding("objects in force", "1 as applied", FindingVerdict.PASS))
    cases = [case("a"), case("b"), replace(case("c"), step="two")]
    with CaseRunner(running(), [job(one) for one in cases]) as case_runner:
        evidence = [case_runner.evidence(job(one)) for one in cases]
    assert looks == [["X-1[a]", "X-1[b]"], ["X-1[c]"]]
    assert [[one.text for one in each.findings] for each in evidence] == [["1 as applied"]] * 3
    assert {each.verdict for each in evidence} == {Verdict.PASS}


def test_a_pass_of_what_another_client_has_changed_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    looked(monkeypatch, CHANGED)
    with CaseRunner(running(), [job(case("a"))]) as case_runner:
        evidence = case_runner.evidence(job(case("a")))
    assert (evidence.verdict, evidence.grade) == (Verdict.INCONCLUSIVE, None)
    assert evidence.reason == "objects in force: AuthorizationPolicy a/b does not exist any more"


def test_each_table_is_followed_by_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = looked(monkeypatch, CHANGED)
    with CaseRunner(running(), []) as case_runner:
        first = case_runner.table([job(case(name)) for name in "ab"], 2)
        case_runner.table([job(case("c"))], 2)
    assert looks == [["X-1[a]", "X-1[b]"], ["X-1[c]"]]
    assert {each.verdict for each in first} == {Verdict.INCONCLUSIVE}


def test_a_failure_keeps_its_reason_and_gets_another() -> None:
    failed = Evidence.of(Subject(control="X-1", id="X-1"), Verdict.FAIL, "expected 403, saw 200")
    evidence = prove.concluded(failed, [CHANGED])
    assert evidence.verdict is Verdict.FAIL
    assert evidence.reason.startswith("expected 403, saw 200; objects in force: AuthorizationPolicy a/b does not exist")
    assert prove.concluded(failed, [replace(CHANGED, verdict=FindingVerdict.PASS)]).reason == "expected 403, saw 200"


@pytest.mark.parametrize("before", list(Verdict))
def test_no_finding_keeps_a_token_that_a_log_shows_in_an_address(before: Verdict) -> None:
    token = TokenIssuer().mint("valid")
    quoted = replace(CHANGED, text=f'an entry has another code: "GET /headers?token={token} HTTP/1.1" 200')
    evidence = prove.concluded(Evidence.of(Subject(control="X-1", id="X-1"), before, "before"), [quoted])
    kept = evidence.reason + evidence.findings[-1].text
    assert token not in kept
    assert token.split(".")[1] not in kept
    assert '"GET /headers?token=[redacted' in evidence.findings[-1].text


@pytest.mark.parametrize("found", [FindingVerdict.FAIL, FindingVerdict.INCONCLUSIVE])
def test_what_a_proxy_does_not_hold_explains_a_change_that_did_not_arrive(found: FindingVerdict) -> None:
    unknown = Evidence.of(Subject(control="X-1", id="X-1"), Verdict.INCONCLUSIVE, "the marker was not seen")
    evidence = prove.concluded(unknown, [replace(CHANGED, verdict=found)])
    assert evidence.verdict is (Verdict.FAIL if found is FindingVerdict.FAIL else Verdict.INCONCLUSIVE)
    assert evidence.reason.startswith("the marker was not seen; objects in force")


def test_what_is_in_force_is_read_back_before_a_step_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the first evidence that is asked for is that of the step."""
    looks = looked(monkeypatch, CHANGED)
    there, later = running(), replace(case("b"), step="two")
    there.reach = lambda step: looks.append([f"step {step}"])
    with CaseRunner(there, [job(case("a")), job(later)]) as case_runner:
        case_runner.evidence(job(later))
        case_runner.evidence(job(case("a")))
    assert looks == [["X-1[a]"], ["step two"], ["X-1[b]"]]
