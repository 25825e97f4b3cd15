"""Looks that are repeated, by a clock of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clients.model.polling import look_until, poll

pytestmark = pytest.mark.unit


class SleepingClock:
    """Goes on while one sleeps only."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def looks(clock: SleepingClock, enough: int, deadline: float) -> tuple[int, float]:
    """The last of 1, 2, 3, …, and when it was seen."""
    numbers: Iterator[int] = iter(range(1, 100))
    seen = look_until(
        lambda: next(numbers), lambda n: n >= enough, deadline, pause_s=1.0, clock=clock, sleep=clock.sleep
    )
    return seen, clock.now


@pytest.mark.parametrize(
    ("enough", "deadline", "expected"),
    [(1, 3.0, (1, 0.0)), (3, 3.0, (3, 2.0)), (99, 3.0, (4, 3.0)), (99, 2.5, (4, 3.0)), (99, -1.0, (1, 0.0))],
    ids=["at once", "later", "at the deadline", "past it", "never waited"],
)
def test_the_last_look_is_enough_or_at_the_deadline(enough: int, deadline: float, expected: tuple[int, float]) -> None:
    assert looks(SleepingClock(), enough, deadline) == expected


@pytest.mark.parametrize("done", [True, False])
def test_what_is_polled_is_asked_at_least_once(done: bool) -> None:
    assert poll(lambda: done, 0.0) is done
