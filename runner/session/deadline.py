"""Ends a run at its deadline: fixtures clean up, what was proven is kept, and the gates decide the exit code."""

from __future__ import annotations

import signal
from collections.abc import Generator
from datetime import UTC, datetime
from threading import Lock, Timer, main_thread
from typing import TYPE_CHECKING

import pytest

from clients.model.exit_code import ExitCode
from runner.config import duration
from runner.session import early_end

if TYPE_CHECKING:
    from runner.session.run_context import RunContext

LATER_S = 0.2
"""Seconds by which a worker ends later than the controlling process, which then knows why."""


class Deadline:
    """Plugin of every process of a run that has a deadline.

    A test is interrupted as by Ctrl-C, and the process ends after it. What is being torn down is not interrupted. The
    controlling process of a distributed run waits for its workers, each of which stops by itself.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._lock = Lock()
        distributed = getattr(context.config.option, "dist", "no") != "no"
        self._interruptible = distributed and not context.is_worker  # while the target is brought up for the workers
        left_s = remaining_s(context.began, context.settings.deadline) + (LATER_S if context.is_worker else 0.0)
        self._timer = Timer(max(0.0, left_s), self.reached)
        self._timer.daemon = True
        self._timer.start()

    def reached(self) -> None:
        """End the run; called from the timer's thread."""
        with self._lock:
            self._context.deadline = self._context.settings.deadline
            main = main_thread().ident
            if self._interruptible and main is not None:
                signal.pthread_kill(main, signal.SIGTERM)  # wakes the thread up from any wait

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self) -> None:
        """Workers run: they end by themselves."""
        self._set(interruptible=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Interrupt the test, or do not begin it; the session ends after it.

        The interruption stays here: xdist replaces a worker that ends by one.
        """
        self._set(interruptible=True)
        try:
            if self._context.deadline:
                raise KeyboardInterrupt
            return (yield)
        except KeyboardInterrupt:
            if not self._context.deadline:
                raise
            return True
        finally:
            self._set(interruptible=False)
            if self._context.deadline:
                item.session.shouldstop = "the deadline"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """What was changed is put back first."""
        self._set(interruptible=False)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """From here on the run only cleans up."""
        self._set(interruptible=False)
        self._timer.cancel()

    def pytest_unconfigure(self) -> None:
        """Of a session that never began."""
        self._timer.cancel()

    def _set(self, *, interruptible: bool) -> None:
        with self._lock:
            self._interruptible = interruptible


def exit_before_any_case(context: RunContext, report: str) -> None:
    """End a run that its deadline has ended while the target was brought up; nothing where no deadline did.

    Args:
        report: what follows the message: where the report is, where the user has not been shown it yet.

    Raises:
        pytest.exit.Exception: to end the run.
    """
    if context.deadline:
        ended = f"the deadline of {context.deadline} was reached before any case{report}"
        early_end.end(context.config, ended, ExitCode.UNKNOWN, begun=False)


def remaining_s(began: str, deadline: str, now: datetime | None = None) -> float:
    """Seconds from now to the deadline of a run that began at this time (ISO 8601); negative once it is over."""
    passed = (now or datetime.now(UTC)) - datetime.fromisoformat(began)
    return duration.seconds(deadline) - passed.total_seconds()
