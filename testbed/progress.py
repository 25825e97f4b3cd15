"""Progress of long steps: what is done, how far it is, how long it took. A line at the start and end of each."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]
"""Takes one line for the user."""

HEARTBEAT_S = 20.0


def to_stderr(line: str) -> None:
    """Write the line to stderr."""
    print(line, file=sys.stderr, flush=True)


class ProgressStep:
    """A running step; `note` sets its detail."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.detail = ""

    def note(self, detail: str) -> None:
        """Replaces the detail that the next line shows."""
        self.detail = detail


@contextmanager
def step(say: Say, what: str, *, quiet: bool = False) -> Iterator[ProgressStep]:
    """Report the start of a step, its detail every 20 s, and its end with the seconds it took.

    Args:
        quiet: report the end only (for steps of a second or two).
    """
    current, began, done = ProgressStep(what), time.monotonic(), threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_S):
            say(f"  … {what}: {current.detail or 'working'} ({time.monotonic() - began:.0f} s so far)")

    if not quiet:
        say(f"  > {what}")
    ticker = threading.Thread(target=beat, daemon=True)
    ticker.start()
    try:
        yield current
    except BaseException:
        done.set()
        say(f"  x {what}: stopped after {time.monotonic() - began:.1f} s")
        raise
    done.set()
    say(f"  + {what} ({time.monotonic() - began:.1f} s)")
