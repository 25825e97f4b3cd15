"""A run whose lease is lost ends: it cleans up, and its report has the reason."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest
from inner_pytest import Inner, suite

from reports.record import conformance
from runner.session.lease_guard import LeaseGuard

pytestmark = pytest.mark.unit

LOSES = """
import os, threading, time
from pathlib import Path
from runner.session.fixtures import RUN_CONTEXT

def pytest_sessionstart(session):
    context = session.config.stash[RUN_CONTEXT]

    def lose():
        while not Path(os.environ["FAKE_TRACE"] + ".waiting").exists():
            time.sleep(0.05)
        context.lease_guard.lost("bob@host holds it now")

    if not context.is_worker:
        threading.Thread(target=lose, daemon=True).start()
"""


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_lost_lease_ends_the_run_which_cleans_up_and_says_why(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'wait')"))
    conftest = inner.root / "conftest.py"
    conftest.write_text(conftest.read_text() + LOSES)
    ran = inner.run(*words)
    why = "the loss of its lease: bob@host holds it now"
    assert ran.code == 130, ran.output
    assert ran.verdicts == {"LAB-PERM-01": "pass"}
    assert any("exit one" in line for line in ran.trace), ran.output
    assert ran.contents.run is not None
    assert ran.contents.run.interrupted == why
    assert ran.contents.run.exit == 130
    assert not conformance.build(ran.contents).ok
    assert f"the run was stopped by {why}" in ran.output


class Signals:
    """The signals that the guard would send, each with its thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[int | None, signal.Signals]] = []
        monkeypatch.setattr("signal.pthread_kill", lambda thread, number: self.sent.append((thread, number)))


def finish(guard: LeaseGuard) -> None:
    """The end of the session, as pytest calls it."""
    hook: Any = guard.pytest_sessionfinish()
    next(hook)


def test_a_loss_during_the_clean_up_does_not_cut_it_short(monkeypatch: pytest.MonkeyPatch) -> None:
    signals, context = Signals(monkeypatch), SimpleNamespace(interrupted="")
    guard = LeaseGuard(context)  # type: ignore[arg-type]
    finish(guard)
    guard.lost("it was deleted")
    assert signals.sent == []
    assert context.interrupted == "the loss of its lease: it was deleted", "it is reported all the same"
