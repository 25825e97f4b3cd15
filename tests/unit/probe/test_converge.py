"""Waiting for an outcome: budgets and deadlines, what is conclusive, what is reported."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest
from convergence_fakes import LOST, NO, POLICY, YES, FakeTime, passing, run, then

from clients.model.attempt import Phase
from clients.model.errors import InfrastructureError, SettingsError
from clients.model.expect import no_reply, rbac_denied, reset, status
from clients.model.outcome import Outcome, OutcomeKind, infrastructure
from clients.probe.confirm import confirmations
from clients.probe.confirmation_row import GROWTH
from clients.probe.converge import converge
from clients.probe.convergence import ConvergencePolicy

pytestmark = pytest.mark.unit


def test_a_late_change_converges_and_its_times_count_from_the_change() -> None:
    time = FakeTime()
    result = run(then([NO] * 4, rest=YES), time=time, since=999.0)
    assert result.converged
    assert result.conclusive
    assert (result.flaps, result.confirmations, result.problem) == (0, 5, "")
    # Five probes of 10 ms and four pauses of 100 ms, one second after the change.
    assert result.time_to_first_s == pytest.approx(1.45)
    assert result.time_to_stable_s == pytest.approx(1.49)
    assert result.duration_s == pytest.approx(0.49)
    assert [a.phase for a in result.attempts] == [Phase.CONVERGE] * 5 + [Phase.CONFIRM] * 4
    assert [a.matched for a in result.attempts] == [False] * 4 + [True] * 5
    assert not result.slow


def test_an_outcome_that_never_comes_is_conclusive_and_the_problem_names_what_came() -> None:
    result = run(then(rest=NO))
    assert (result.converged, result.conclusive) == (False, True)
    assert result.time_to_first_s is None
    assert result.time_to_stable_s is None
    assert "expected 403, body contains 'RBAC: access denied', saw 200" in result.problem
    assert result.slow
    assert result.last == NO
    assert result.duration_s == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize("before", [[], [NO], [YES, NO]])
def test_exec_lost_until_the_end_is_inconclusive(before: list[Outcome]) -> None:
    result = run(then(before, rest=LOST))
    assert (result.converged, result.conclusive) == (False, False)
    assert "exec lost" in result.problem


UNRESOLVED = Outcome(OutcomeKind.DNS, "dns", exit_code=28, error="Resolving timed out after 2000 milliseconds")
UNKNOWN = Outcome(OutcomeKind.DNS, "dns", exit_code=6, error="Could not resolve host: httpbin")


def alternately(*outcomes: Outcome) -> Callable[[], Outcome]:
    return then(itertools.cycle(outcomes), rest=LOST)


def test_a_name_that_is_resolved_now_and_then_only_is_inconclusive() -> None:
    """Datagrams that are lost on the way to a name server say nothing about the mesh."""
    result = run(alternately(YES, UNRESOLVED))
    assert (result.converged, result.conclusive) == (False, False)
    assert "the name was resolved now and then only" in result.problem
    assert "saw 000 dns (28)" in result.problem


@pytest.mark.parametrize(
    "answers",
    [
        then(rest=UNRESOLVED),
        then([YES] * 3, rest=UNRESOLVED),  # a policy that shuts the way to name servers has come
        alternately(NO, UNRESOLVED),
        alternately(YES, NO, UNRESOLVED),
        alternately(YES, UNKNOWN),  # a name server has answered
    ],
    ids=["never", "not any more", "another answer", "another answer at times", "an unknown name"],
)
def test_a_name_that_is_not_resolved_at_all_is_conclusive_and_so_is_another_answer(
    answers: Callable[[], Outcome],
) -> None:
    result = run(answers)
    assert (result.converged, result.conclusive) == (False, True)
    assert "now and then" not in result.problem


def test_names_that_are_rarely_not_resolved_cost_time_only() -> None:
    assert run(then([YES, UNRESOLVED] * 5, rest=YES)).converged


RESET = Outcome(OutcomeKind.RESET, "reset", exit_code=56, error="Recv failure: Connection reset by peer")
SILENT = Outcome(OutcomeKind.ANSWER_TIMEOUT, "silent", exit_code=28, error="Operation timed out")
UNSHAKEN = Outcome(OutcomeKind.TLS_TIMEOUT, "unshaken", exit_code=28, error="SSL connection timeout")
REFUSED = Outcome(OutcomeKind.REFUSED, "refused", exit_code=7, error="Connection refused")
UNTRUSTED = Outcome(OutcomeKind.TLS_ERROR, "untrusted", exit_code=35, error="SSL_ERROR_SYSCALL")
DROPPED = Outcome(OutcomeKind.CONNECT_TIMEOUT, "dropped", exit_code=28, error="Connection timed out")


def test_a_reset_that_is_lost_now_and_then_is_inconclusive() -> None:
    """A reset is sent once, so that a network which loses packets turns some of them into timeouts."""
    result = run(alternately(*[RESET] * 30, SILENT), expect=reset(), needed=40)
    assert (result.converged, result.conclusive) == (False, False)
    assert "had no answer in time" in result.problem
    assert "answer_timeout (28)" in result.problem


@pytest.mark.parametrize("silence", [SILENT, DROPPED])
def test_an_answer_that_comes_too_late_now_and_then_is_inconclusive(silence: Outcome) -> None:
    """An overloaded machine, of the cluster's or this one, is slower than a request waits."""
    result = run(alternately(*[YES] * 30, silence), needed=40)
    assert (result.converged, result.conclusive) == (False, False)
    assert "requests had no answer in time" in result.problem


@pytest.mark.parametrize(
    "answers",
    [[RESET, SILENT], [*[RESET] * 9, DROPPED], [*[RESET] * 30, NO, SILENT], [*[RESET] * 30, SILENT, NO]],
    ids=["one of two replicas", "one of ten", "another answer at times", "and at last"],
)
def test_other_silence_in_the_place_of_an_outcome_is_conclusive(answers: list[Outcome]) -> None:
    result = run(alternately(*answers), expect=reset(), needed=40)
    assert (result.converged, result.conclusive) == (False, True)
    assert "not judged" not in result.problem


@pytest.mark.parametrize(
    ("kinds", "as_expected", "silence"),
    [
        ([OutcomeKind.CONNECT_TIMEOUT], DROPPED, SILENT),
        ([OutcomeKind.CONNECT_TIMEOUT], DROPPED, UNSHAKEN),
        ([OutcomeKind.REFUSED], REFUSED, SILENT),
        ([OutcomeKind.TLS_ERROR], UNTRUSTED, SILENT),
    ],
    ids=["connected", "connected by TLS", "connected and not refused", "shaken hands"],
)
def test_silence_of_a_connection_that_must_not_be_is_conclusive(
    kinds: list[OutcomeKind], as_expected: Outcome, silence: Outcome
) -> None:
    """A leak of 3 % whose requests hang afterwards is a leak."""
    result = run(alternately(*[as_expected] * 30, silence), expect=no_reply(*kinds), needed=40)
    assert (result.converged, result.conclusive) == (False, True)


@pytest.mark.parametrize("turn", range(3))
def test_a_name_that_is_not_resolved_hides_no_silence(turn: int) -> None:
    answers = [YES, SILENT, UNRESOLVED]
    result = run(alternately(*answers[turn:], *answers[:turn]))
    assert (result.converged, result.conclusive) == (False, True)


def test_a_server_that_falls_silent_for_good_is_conclusive() -> None:
    result = run(then([RESET] * 30, rest=SILENT), expect=reset(), needed=40)
    assert (result.converged, result.conclusive) == (False, True)


def test_a_mismatch_after_lost_answers_is_conclusive() -> None:
    result = run(then([LOST] * 5, rest=NO))
    assert (result.converged, result.conclusive) == (False, True)


def test_lost_answers_that_leave_no_time_to_confirm_are_inconclusive() -> None:
    result = run(then([NO] + [LOST] * 93, rest=YES), time=FakeTime(0.01), needed=200)
    assert (result.converged, result.conclusive) == (False, False)


def test_an_infrastructure_error_of_the_transport_is_an_outcome() -> None:
    def broken() -> Outcome:
        raise InfrastructureError("the pod is gone")

    result = run(broken)
    assert (result.converged, result.conclusive) == (False, False)
    assert "the pod is gone" in result.problem


def test_other_errors_are_not_hidden() -> None:
    def broken() -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(broken)


def test_a_match_at_the_deadline_is_no_pass() -> None:
    time = FakeTime(0.0)
    result = run(lambda: YES if time.now >= 1010.0 else NO, time=time, needed=1)
    assert result.attempts[-1].matched
    assert (result.converged, result.conclusive) == (False, True)


@pytest.mark.parametrize(
    ("budget_s", "still_s", "conclusive"), [(40.0, 39.0, False), (40.0, 15.0, True), (10.0, 9.0, True)]
)
@pytest.mark.parametrize("answer", [NO, YES])
def test_a_machine_that_stood_still_until_the_budget_was_over_blames_no_mesh(
    budget_s: float, still_s: float, conclusive: bool, answer: Outcome
) -> None:
    """The change may have come meanwhile: a contrary answer that was under way all the time is of the beginning."""
    time = FakeTime(0.0)

    def probe() -> Outcome:
        if time.now < 1000.0 + budget_s - still_s:
            return NO
        time.now = max(time.now, 1000.0 + budget_s)
        return answer

    result = run(probe, time=time, needed=1, policy=replace(POLICY, budget_s=budget_s))
    assert (result.converged, result.conclusive) == (False, conclusive)
    assert ("nothing was seen after " in result.problem) is not conclusive


def test_an_answer_that_the_mesh_itself_delays_counts_for_its_whole_duration() -> None:
    time = FakeTime(39.9)
    slow = replace(NO, total_s=39.8)
    result = run(lambda: slow, time=time, needed=1, policy=replace(POLICY, budget_s=40.0))
    assert (result.converged, result.conclusive) == (False, True)


def test_confirmations_that_began_in_time_may_take_longer_than_the_budget() -> None:
    result = run(then([NO], rest=YES), time=FakeTime(3.0), needed=8)
    assert (result.converged, result.flaps, result.problem) == (True, 0, "")
    assert 24 < result.duration_s < 10 * (1 + GROWTH)


def test_a_contrary_answer_after_the_budget_ends_the_wait_and_fails() -> None:
    result = run(then([NO], [YES] * 5, [NO], rest=YES), time=FakeTime(3.0), needed=29)
    assert (result.converged, result.conclusive, result.flaps) == (False, True, 1)
    assert result.duration_s < 30


def test_a_lost_answer_after_the_budget_ends_the_wait_and_is_inconclusive() -> None:
    result = run(then([NO], [YES] * 5, rest=LOST), time=FakeTime(3.0), needed=29)
    assert (result.converged, result.conclusive) == (False, False)
    assert result.duration_s < 40


@pytest.mark.parametrize("before", [[], [NO], [YES, NO]])
def test_only_too_slow_to_confirm_is_inconclusive(before: list[Outcome]) -> None:
    result = run(then(before, rest=YES), time=FakeTime(3.0), needed=29)
    assert (result.converged, result.conclusive) == (False, False)
    assert re.search(r"too slow for (29|77) confirmations in 50 s", result.problem), "77 after a flap"
    assert "none contrary" in result.problem


def test_matches_that_begin_in_time_are_confirmed_after_it() -> None:
    time = FakeTime(0.01)
    result = run(lambda: YES if time.now > 1009.8 else NO, time=time, needed=29)
    assert result.converged
    assert result.slow


def test_a_mesh_that_goes_back_and_forth_until_the_end_is_conclusive() -> None:
    answers = [YES, YES, NO] * 400
    result = run(then(answers, rest=NO), time=FakeTime(0.01), needed=5)
    assert (result.converged, result.conclusive) == (False, True)
    assert result.flaps > 10
    assert result.duration_s < 11


def test_slow_is_more_than_three_quarters_of_the_budget() -> None:
    time = FakeTime(0.0)
    assert not run(lambda: YES if time.now >= 1007.3 else NO, time=time).slow
    time = FakeTime(0.0)
    late = run(lambda: YES if time.now >= 1007.7 else NO, time=time)
    assert late.converged
    assert late.slow


def test_a_needed_number_below_one_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        run(then(rest=YES), needed=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget_s": 0},
        {"poll_s": 0},
        {"window_s": -1},
        {"window_s": 30},
        {"error_rate": 0},
        {"error_rate": 1},
        {"confirmations": 0},
    ],
)
def test_a_policy_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="out of range"):
        ConvergencePolicy(**wrong)  # type: ignore[arg-type]


def test_only_the_pinned_outcome_counts() -> None:
    time = FakeTime()
    refused = Outcome(OutcomeKind.REFUSED, "id", exit_code=7)
    result = converge(
        lambda n: passing(time, [refused] * n),
        reset(),
        POLICY,
        needed=3,
        since=1000.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert result.problem.startswith("expected 000 reset (56), saw 000 refused (7)")


def stale_pools(rng: random.Random, pools: int, time: FakeTime) -> Callable[[], Outcome]:
    """The design's model: until the change arrives all answer by the old rules, then each pool once more."""
    arrives, stale = time.now + rng.uniform(0.05, 0.4), set(range(pools))

    def answer() -> Outcome:
        pool = rng.randrange(pools)
        if time.now < arrives or pool in stale:
            if time.now >= arrives:
                stale.discard(pool)
            return NO
        return YES

    return answer


def test_the_predicted_error_rate_holds_through_converge() -> None:
    rng, runs, needed, contrary = random.Random(7), 300, confirmations(2, 2, 1e-3), 0
    for _ in range(runs):
        time = FakeTime(0.002)
        answer = stale_pools(rng, 4, time)
        assert run(answer, time=time, needed=needed).converged
        contrary += any(answer() is NO for _ in range(50))
    assert contrary <= 3  # expected at most 0.3 of 300


def test_the_time_of_day_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: pytest.fail("time of day used"))
    time = FakeTime()
    result = converge(
        lambda n: passing(time, [YES] * n),
        rbac_denied(),
        POLICY,
        needed=3,
        since=0.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert result.converged


def test_status_expectation_of_200() -> None:
    time = FakeTime()
    result = converge(
        lambda n: passing(time, [NO] * n),
        status(200),
        POLICY,
        needed=3,
        since=1000.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert result.converged


@pytest.mark.parametrize("lost", [False, True])
def test_nothing_that_is_kept_shows_a_token(lost: bool) -> None:
    """Texts of an answer, its headers, and errors of a probe; the last outcome is for the proof, and is not kept."""
    token = jwt.encode({"sub": "someone"}, "secret" * 8, algorithm="HS256")
    shown = f"Authorization: Bearer {token}"
    if lost:
        answer = infrastructure("lost", f"exec lost: {shown}")
    else:
        answer = replace(NO, body=shown, error=shown, headers={"authorization": [f"Bearer {token}"]})
    result = run(then(rest=answer))
    kept = repr(replace(result, last=None))
    assert "[redacted" in kept
    assert token not in kept
