"""SIGTERM as Ctrl-C, for programs that have something to put back when they end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def interrupt_on_sigterm() -> Callable[[], None]:
    """Let SIGTERM raise KeyboardInterrupt in the main thread, as SIGINT does; returns what undoes it.

    By default it ends a program at once: its clusters would run on, and what it made would stay. The first process of
    a container gets no signal at all that it has no handler for (pid_namespaces(7)).

    Raises:
        ValueError: this is not the main thread.
    """
    before = signal.signal(signal.SIGTERM, _interrupted)
    return lambda: _restore(before)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt as long as the block runs."""
    undo = interrupt_on_sigterm()
    try:
        yield
    finally:
        undo()


@contextmanager
def hangup_interrupts() -> Iterator[None]:
    """The end of the terminal raises KeyboardInterrupt as long as the block runs.

    A hangup that is ignored stays ignored: what runs under nohup outlives its terminal.
    """
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before if before is not None else signal.SIG_DFL)


def _interrupted(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _restore(before: object) -> None:
    """Put a handler back; None is one that was not set from Python."""
    signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)  # type: ignore[arg-type]
