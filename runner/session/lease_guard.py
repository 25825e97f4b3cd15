"""Ends a run that has lost its lease: from then on another run may work on the same cluster."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from runner.session.run_context import RunContext


class LeaseGuard:
    """Plugin of the controlling process. The run ends as by Ctrl-C: fixtures clean up, reports are written, exit 130.

    Attributes:
        why: how the lease was lost; empty while it is held.
    """

    def __init__(self, context: RunContext) -> None:
        self.why = ""
        self._context = context
        self._lock = threading.Lock()
        self._proving = True

    def lost(self, why: str) -> None:
        """End the run; called from the lease's thread."""
        with self._lock:
            self.why = f"the loss of its lease: {why}"
            self._context.interrupted = self._context.interrupted or self.why
            if not self._proving:
                return  # only the clean-up is left, and it must not be cut short
            # To the main thread itself, so that it wakes up from any wait. SIGTERM: a shell's background job
            # ignores SIGINT.
            main = threading.main_thread().ident
            if main is not None:
                signal.pthread_kill(main, signal.SIGTERM)

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Record the cause of the signal."""
        self._context.interrupted = self.why or self._context.interrupted

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the cause on the terminal too: pytest prints none for an interrupt."""
        if self.why:
            terminalreporter.write_line(f"meshproof: the run was stopped by {self.why}", red=True)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Any:
        """From here on the run only cleans up."""
        with self._lock:
            self._proving = False
        return (yield)
