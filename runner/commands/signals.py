"""The signals by which a user, a terminal or a supervisor ends a command that has processes of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def handled(receive: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Give Ctrl-C, SIGTERM and a hangup to `receive`, as long as the block runs.

    A hangup that is ignored stays ignored: a run under nohup outlives its terminal.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, _: receive(signal.Signals(got))) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
