from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from clients.model.attempt import Phase
from clients.model.errors import InfrastructureError, SettingsError
from clients.model.expect import no_reply, rbac_denied, reset, status
from clients.model.outcome import Outcome, OutcomeKind, infrastructure
from clients.probe.confirm import confirmations
from clients.probe.converge import GROWTH, MAX_BATCH, MAX_SAMPLES, converge
from clients.probe.convergence import Convergence, ConvergencePolicy

pytestmark = pytest.mark.unit

YES = Outcome(OutcomeKind.STATUS, "yes", status=403, exit_code=0, body="RBAC: access denied")
NO = Outcome(OutcomeKind.STATUS, "no", status=200, exit_code=0, body="hello")
LOST = infrastructure("lost", "exec lost")
POLICY = ConvergencePolicy(budget_s=10.0, poll_s=0.1, window_s=0.0)


class Time:
    """A clock that only `sleep` and probing move."""

    def __init__(self, probe_s: float = 0.01) -> None:
        self.now, self.probe_s = 1000.0, probe_s

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def run(
    answer: Callable[[], Outcome],
    *,
    time: Time | None = None,
    policy: ConvergencePolicy = POLICY,
    needed: int = 5,
    batches: list[int] | None = None,
    since: float = 1000.0,
    unchanged: bool = False,
) -> Convergence:
    time = time or Time()

    def probe(count: int) -> Sequence[Outcome]:
        if batches is not None:
            batches.append(count)
        outcomes = []
        for _ in range(count):
            time.now += time.probe_s
            outcomes.append(answer())
        return outcomes

    return converge(
        probe,
        rbac_denied(),
        policy,
        needed=needed,
        since=since,
        unchanged=unchanged,
        clock=time.clock,
        sleep=time.sleep,
    )


def then(*parts: Iterable[Outcome], rest: Outcome) -> Callable[[], Outcome]:
    def stream() -> Iterator[Outcome]:
        for part in parts:
            yield from part
        while True:
            yield rest

    answers = stream()
    return lambda: next(answers)


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_an_answer_that_is_contrary_now_and_then_does_not_last_by_luck(share: float) -> None:
    """Polling until a row is long enough gives chance many turns: without longer rows a quarter leaked and passed."""
    lucky = 0
    for seed in range(100):
        drawn = random.Random(seed)
        seen = run(
            then([NO, YES, NO], (NO if drawn.random() < share else YES for _ in range(10**6)), rest=NO), needed=15
        )
        lucky += seen.converged
        assert seen.converged or seen.conclusive, seen.problem
    assert lucky == 0


def test_what_spreads_slowly_is_confirmed_for_longer_and_converges() -> None:
    drawn = random.Random(1)
    spreading = [NO if drawn.random() < 0.5 else YES for _ in range(60)]
    seen = run(then(spreading, rest=YES), needed=15)
    assert seen.converged
    assert seen.flaps > 5
    assert seen.confirmations > 15


def test_a_late_change_converges_and_its_times_count_from_the_change() -> None:
    time = Time()
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


def test_confirmations_are_sent_in_one_batch() -> None:
    batches: list[int] = []
    assert run(then([NO], rest=YES), needed=20, batches=batches).converged
    assert batches == [1, 1, 19]


def test_where_nothing_has_changed_the_first_batch_holds_every_confirmation() -> None:
    batches: list[int] = []
    result = run(then(rest=YES), needed=3, batches=batches, unchanged=True)
    assert (result.converged, batches) == (True, [3])
    assert [attempt.matched for attempt in result.attempts] == [True] * 3


def test_where_it_has_changed_after_all_it_is_polled_for_one_by_one() -> None:
    batches: list[int] = []
    result = run(then([YES, NO, NO, NO], rest=YES), needed=3, batches=batches, unchanged=True)
    assert (result.converged, result.flaps, batches) == (True, 1, [3, 1, 1, 22])


def test_a_batch_has_a_limit() -> None:
    batches: list[int] = []
    assert run(then(rest=YES), needed=3 * MAX_BATCH, batches=batches).converged
    assert max(batches) == MAX_BATCH


def test_an_outcome_that_never_comes_is_conclusive_and_the_problem_names_what_came() -> None:
    result = run(then(rest=NO))
    assert (result.converged, result.conclusive) == (False, True)
    assert result.time_to_first_s is None
    assert result.time_to_stable_s is None
    assert "expected 403, body contains 'RBAC: access denied', saw 200" in result.problem
    assert result.slow
    assert result.last == NO
    assert result.duration_s == pytest.approx(10.0, abs=0.2)


def test_a_mismatch_starts_the_row_again_and_is_a_flap() -> None:
    result = run(then([NO, YES, YES, NO, YES, NO], rest=YES))
    assert result.converged
    assert result.flaps == 2
    assert [a.matched for a in result.attempts[-5:]] == [True] * 5
    assert len(result.attempts) >= 11


def test_alternating_never_converges() -> None:
    result = run(then([YES, NO] * 3000, rest=NO), needed=2)
    assert (result.converged, result.conclusive) == (False, True)
    assert result.flaps > 10


def test_one_contrary_answer_in_every_few_never_converges() -> None:
    result = run(then([YES, YES, YES, YES, NO] * 3000, rest=NO), needed=5)
    assert not result.converged


def test_the_flap_count_counts_changes_not_answers() -> None:
    result = run(then([YES, NO, NO, NO], rest=YES))
    assert result.flaps == 1


def test_infrastructure_restarts_the_row_without_being_a_flap() -> None:
    result = run(then([YES, YES, LOST], [YES] * 4, [LOST], rest=YES))
    assert result.converged
    assert result.flaps == 0
    assert [a.matched for a in result.attempts[-5:]] == [True] * 5
    assert len(result.attempts) >= 3 + 5 + 5


def test_a_mismatch_behind_a_lost_answer_is_still_a_flap() -> None:
    assert run(then([YES, LOST, NO], rest=YES)).flaps == 1


@pytest.mark.parametrize("before", [[], [NO], [YES, NO]])
def test_exec_lost_until_the_end_is_inconclusive(before: list[Outcome]) -> None:
    result = run(then(before, rest=LOST))
    assert (result.converged, result.conclusive) == (False, False)
    assert "exec lost" in result.problem


def test_a_mismatch_after_lost_answers_is_conclusive() -> None:
    result = run(then([LOST] * 5, rest=NO))
    assert (result.converged, result.conclusive) == (False, True)


def test_lost_answers_that_leave_no_time_to_confirm_are_inconclusive() -> None:
    result = run(then([NO] + [LOST] * 93, rest=YES), time=Time(0.01), needed=200)
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


def test_missing_outcomes_are_infrastructure() -> None:
    time = Time(0.0)

    def probe(count: int) -> Sequence[Outcome]:
        time.now += 0.01
        return [YES] * (count - 1)

    result = converge(probe, rbac_denied(), POLICY, needed=3, since=1000.0, clock=time.clock, sleep=time.sleep)
    assert (result.converged, result.conclusive) == (False, False)


def test_surplus_outcomes_are_not_counted() -> None:
    time = Time()

    def probe(count: int) -> Sequence[Outcome]:
        time.now += 0.01
        return [YES] * (count + 10)

    result = converge(probe, rbac_denied(), POLICY, needed=6, since=1000.0, clock=time.clock, sleep=time.sleep)
    assert len(result.attempts) == 6


def test_a_match_at_the_deadline_is_no_pass() -> None:
    time = Time(0.0)
    result = run(lambda: YES if time.now >= 1010.0 else NO, time=time, needed=1)
    assert result.attempts[-1].matched
    assert (result.converged, result.conclusive) == (False, True)


def test_confirmations_that_began_in_time_may_take_longer_than_the_budget() -> None:
    result = run(then([NO], rest=YES), time=Time(3.0), needed=8)
    assert (result.converged, result.flaps, result.problem) == (True, 0, "")
    assert 24 < result.duration_s < 10 * (1 + GROWTH)


def test_a_contrary_answer_after_the_budget_ends_the_wait_and_fails() -> None:
    result = run(then([NO], [YES] * 5, [NO], rest=YES), time=Time(3.0), needed=29)
    assert (result.converged, result.conclusive, result.flaps) == (False, True, 1)
    assert result.duration_s < 30


def test_a_lost_answer_after_the_budget_ends_the_wait_and_is_inconclusive() -> None:
    result = run(then([NO], [YES] * 5, rest=LOST), time=Time(3.0), needed=29)
    assert (result.converged, result.conclusive) == (False, False)
    assert result.duration_s < 40


@pytest.mark.parametrize("before", [[], [NO], [YES, NO]])
def test_only_too_slow_to_confirm_is_inconclusive(before: list[Outcome]) -> None:
    result = run(then(before, rest=YES), time=Time(3.0), needed=29)
    assert (result.converged, result.conclusive) == (False, False)
    assert re.search(r"too slow for (29|77) confirmations in 50 s", result.problem), "77 after a flap"
    assert "none contrary" in result.problem


def test_slow_probes_are_sent_as_far_as_the_time_allows() -> None:
    batches: list[int] = []
    result = run(then(rest=YES), time=Time(3.0), needed=29, batches=batches)
    assert sum(batches) < 29
    assert result.duration_s <= 10 * (1 + GROWTH) + 3


def test_matches_that_begin_in_time_are_confirmed_after_it() -> None:
    time = Time(0.01)
    result = run(lambda: YES if time.now > 1009.8 else NO, time=time, needed=29)
    assert result.converged
    assert result.slow


def test_a_mesh_that_goes_back_and_forth_until_the_end_is_conclusive() -> None:
    answers = [YES, YES, NO] * 400
    result = run(then(answers, rest=NO), time=Time(0.01), needed=5)
    assert (result.converged, result.conclusive) == (False, True)
    assert result.flaps > 10
    assert result.duration_s < 11


def test_the_window_is_probed_until_its_end() -> None:
    policy = ConvergencePolicy(budget_s=10, poll_s=0.1, window_s=1.0)
    result = run(then(rest=YES), policy=policy, needed=3)
    assert result.converged
    assert result.time_to_first_s is not None
    assert result.time_to_stable_s is not None
    assert result.time_to_stable_s - result.time_to_first_s >= 1.0
    assert len(result.attempts) > 3 + 5
    assert result.duration_s < 1.3


@pytest.mark.parametrize(
    ("kind", "took_s", "batches"),
    [
        pytest.param(OutcomeKind.CONNECT_TIMEOUT, 1.5, 1, id="asked again meanwhile"),
        pytest.param(OutcomeKind.DNS, 3.0, 1, id="asked for the name again"),
        pytest.param(OutcomeKind.CONNECT_TIMEOUT, 0.75, 2, id="asked once"),
        pytest.param(OutcomeKind.RESET, 1.5, 2, id="answered"),
    ],
)
def test_a_probe_that_retries_and_times_out_spans_a_window(kind: OutcomeKind, took_s: float, batches: int) -> None:
    now, sent = [1000.0], [0]

    def probe(count: int) -> Sequence[Outcome]:
        now[0] += took_s
        sent[0] += 1
        return [Outcome(kind, "shut", exit_code=1, total_s=took_s)] * count

    seen = converge(
        probe,
        no_reply(kind),
        ConvergencePolicy(budget_s=30, window_s=0.25),
        needed=5,
        since=1000.0,
        unchanged=True,
        clock=lambda: now[0],
        sleep=lambda seconds: now.__setitem__(0, now[0] + seconds),
    )
    assert (seen.converged, sent[0]) == (True, batches)


def test_a_mismatch_in_the_window_starts_again() -> None:
    policy = ConvergencePolicy(budget_s=10, poll_s=0.1, window_s=0.5)
    result = run(then([YES] * 5, [NO], rest=YES), policy=policy, needed=3)
    assert result.converged
    assert result.flaps == 1
    assert result.time_to_stable_s is not None
    assert result.time_to_stable_s - result.attempts[6].at_s >= 0.5


def test_slow_is_more_than_three_quarters_of_the_budget() -> None:
    time = Time(0.0)
    assert not run(lambda: YES if time.now >= 1007.3 else NO, time=time).slow
    time = Time(0.0)
    late = run(lambda: YES if time.now >= 1007.7 else NO, time=time)
    assert late.converged
    assert late.slow


def test_samples_are_the_first_each_change_and_the_last() -> None:
    outcomes = [NO, NO, NO, YES, YES, NO, LOST, LOST]
    numbered = [Outcome(o.kind, f"{i}", o.status, o.exit_code, o.error, o.body) for i, o in enumerate(outcomes)]
    last = Outcome(YES.kind, "last", YES.status, 0, "", YES.body)
    result = run(then(numbered, rest=last), needed=3)
    assert [s.request_id for s in result.samples[:-2]] == ["0", "3", "5", "6"]
    assert [s.request_id for s in result.samples[-2:]] == ["last", "last"]
    assert result.samples[-1].at_s == result.attempts[-1].at_s


def test_samples_have_a_limit_and_keep_the_last() -> None:
    result = run(then([YES, NO] * 400, rest=LOST), needed=2)
    assert len(result.samples) == MAX_SAMPLES
    assert result.samples[-1].at_s == result.attempts[-1].at_s


def test_what_is_kept_is_redacted() -> None:
    secret = "abcdefgh12345678"
    leaky = Outcome(
        OutcomeKind.STATUS,
        "id",
        status=200,
        exit_code=0,
        body=f"Authorization: Bearer {secret}",
        headers={"set-cookie": (f"sid={secret}; Path=/",), "x-echo": (f"Bearer {secret}",)},
    )
    result = run(then(rest=leaky))
    assert secret not in repr(result.samples)
    assert secret not in repr(result.attempts)
    assert secret not in result.problem
    assert result.samples[0].headers["set-cookie"] == ["sid=[redacted]; Path=/"]


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
    time = Time()
    refused = Outcome(OutcomeKind.REFUSED, "id", exit_code=7)
    result = converge(
        lambda n: _pass(time, [refused] * n),
        reset(),
        POLICY,
        needed=3,
        since=1000.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert result.problem.startswith("expected 000 reset (56), saw 000 refused (7)")


def _pass(time: Time, outcomes: list[Outcome]) -> list[Outcome]:
    time.now += 0.01
    return outcomes


def stale_pools(rng: random.Random, pools: int, time: Time) -> Callable[[], Outcome]:
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
        time = Time(0.002)
        answer = stale_pools(rng, 4, time)
        assert run(answer, time=time, needed=needed).converged
        contrary += any(answer() is NO for _ in range(50))
    assert contrary <= 3  # expected at most 0.3 of 300


def test_the_time_of_day_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: pytest.fail("time of day used"))
    time = Time()
    result = converge(
        lambda n: _pass(time, [YES] * n),
        rbac_denied(),
        POLICY,
        needed=3,
        since=0.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert result.converged


def test_status_expectation_of_200() -> None:
    time = Time()
    result = converge(
        lambda n: _pass(time, [NO] * n),
        status(200),
        POLICY,
        needed=3,
        since=1000.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    assert result.converged


def test_an_outcome_that_is_missing_is_a_probe_that_did_not_run():
    # Otherwise a prober that loses answers would confirm by those that it happens to return.
    time = Time()

    def loses_one_of_several(count: int) -> Sequence[Outcome]:
        time.now += 0.01 * count
        return [YES] * max(1, count - 1)

    seen = converge(
        loses_one_of_several, rbac_denied(), POLICY, needed=5, since=1000.0, clock=time.clock, sleep=time.sleep
    )
    assert not seen.converged
    assert not seen.conclusive
    assert sum(not attempt.ran for attempt in seen.attempts) > 1
