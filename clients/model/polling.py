"""Looking again and again at what has no events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def look_until(
    look: Callable[[], T],
    enough: Callable[[T], bool],
    deadline: float,
    *,
    pause_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `look` returned last: as soon as that is enough, else what it saw at the deadline or after it.

    Args:
        deadline: by the clock; one look is taken even where it has passed.
        pause_s: between two looks.
    """
    while True:
        ended = clock() >= deadline  # before the look, so that the last one has seen the whole time
        seen = look()
        if ended or enough(seen):
            return seen
        sleep(pause_s)


def poll(done: Callable[[], bool], deadline: float, *, pause_s: float = 0.1) -> bool:
    """Call `done` until it is true, or until a call at the monotonic `deadline` or later; at least once."""
    return look_until(done, bool, deadline, pause_s=pause_s)
