"""The row of matches: how long it is, what starts it again, how it is sent, and what is kept of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from convergence_fakes import LOST, NO, POLICY, YES, FakeTime, run, then

from clients.model.expect import no_reply, rbac_denied
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe.confirmation_row import GROWTH, MAX_BATCH, MAX_SAMPLES
from clients.probe.converge import converge
from clients.probe.convergence import ConvergencePolicy

pytestmark = pytest.mark.unit


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


def test_missing_outcomes_are_infrastructure() -> None:
    time = FakeTime(0.0)

    def probe(count: int) -> Sequence[Outcome]:
        time.now += 0.01
        return [YES] * (count - 1)

    result = converge(probe, rbac_denied(), POLICY, needed=3, since=1000.0, clock=time.clock, sleep=time.sleep)
    assert (result.converged, result.conclusive) == (False, False)


def test_surplus_outcomes_are_not_counted() -> None:
    time = FakeTime()

    def probe(count: int) -> Sequence[Outcome]:
        time.now += 0.01
        return [YES] * (count + 10)

    result = converge(probe, rbac_denied(), POLICY, needed=6, since=1000.0, clock=time.clock, sleep=time.sleep)
    assert len(result.attempts) == 6


def test_slow_probes_are_sent_as_far_as_the_time_allows() -> None:
    batches: list[int] = []
    result = run(then(rest=YES), time=FakeTime(3.0), needed=29, batches=batches)
    assert sum(batches) < 29
    assert result.duration_s <= 10 * (1 + GROWTH) + 3


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


def test_an_outcome_that_is_missing_is_a_probe_that_did_not_run():
    # Otherwise a prober that loses answers would confirm by those that it happens to return.
    time = FakeTime()

    def loses_one_of_several(count: int) -> Sequence[Outcome]:
        time.now += 0.01 * count
        return [YES] * max(1, count - 1)

    seen = converge(
        loses_one_of_several, rbac_denied(), POLICY, needed=5, since=1000.0, clock=time.clock, sleep=time.sleep
    )
    assert not seen.converged
    assert not seen.conclusive
    assert sum(not attempt.ran for attempt in seen.attempts) > 1
