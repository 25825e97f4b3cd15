"""How a benchmark ends before its time."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from benchmarks import common
from clients.model.exit_code import ExitCode

pytestmark = pytest.mark.unit


def test_sigterm_ends_a_benchmark_as_ctrl_c_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that it measures is stopped: `measure` gets the chance to."""
    closed = []

    def measure(_: object) -> dict[str, object]:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            closed.append("closed")
        return {}

    monkeypatch.setattr(sys, "argv", ["bench"])
    assert common.main(common.options("x", "It measures nothing."), measure) == ExitCode.INTERRUPTED
    assert closed == ["closed"]
