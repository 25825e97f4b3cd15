"""The run of a mutant, and what it must show."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_runs import EndedRun, conform

from tests.mutants.entry import Entry, judge


def of(entries: list[Entry]) -> list[object]:
    """The entries as parameters of a test; most are left to the nightly tests."""
    return [pytest.param(entry, id=entry.id, marks=[pytest.mark.nightly] if entry.nightly else []) for entry in entries]


def spoilt(
    scratch: Path, entry: Entry, words: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> EndedRun:
    """The run of the mutant, with the controls of its verdicts."""
    return conform(scratch, *entry.options, *words, environment=environment, suite=entry.place.suite)


def is_killed(ran: EndedRun, entry: Entry) -> None:
    """Every control of the run has the verdict that the mutant must cause, for the right reason.

    Raises:
        AssertionError: one has not, or the run left something behind or revealed a secret.
    """
    judged = judge(entry, ran.cases)
    assert not judged.missed, ran.output[-3000:]
    assert not judged.harmed, ran.output[-3000:]
    assert ran.code == (1 if "fail" in ran.verdicts.values() else 3)
    assert ran.secrets() == []
    assert ran.left == []
