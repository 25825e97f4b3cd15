"""From what pytest saw of a test to evidence: for tests that proved nothing because they were skipped or broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from clients.model.evidence import Evidence, Verdict
from clients.model.redact import redact
from runner.session.selection import Planned

PROPERTY = "meshproof"
"""Name of the user property that carries evidence from a test process to the controlling one."""
CLEAN_UP = "X-CLEAN-UP"
"""Our own control: a stage leaves the mesh as it found it (`suites/own.yaml`)."""


BAD = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE})
"""Verdicts that fail a run."""


class EnforcedError(AssertionError):
    """A capability is missing on a target that was said to have everything (`--enforce`)."""


def evidence_for(entry: Planned, verdict: Verdict, reason: str, worker: str) -> Evidence:
    """Evidence of a test that made none itself."""
    return Evidence(
        control=entry.control,
        id=entry.id,
        title=entry.title,
        polarity=entry.polarity,
        verdict=verdict,
        reason=redact(reason),
        expected=entry.expected,
        observed="",
        suite=entry.suite,
        stage=entry.stage,
        source=entry.source,
        destination=entry.destination,
        worker=worker,
    )


def of_phase(
    entry: Planned, report: pytest.TestReport, error: BaseException | None, made: Sequence[Evidence], worker: str
) -> list[Evidence]:
    """Evidence to hand on after a phase of a test.

    Set-up: only where it skipped or broke. Call: what the test made; a test that ends well without any is a fault of
    the test, and one that breaks after a pass is not a pass. Tear-down: a clean-up that failed is a case of its own.
    """
    why = _reason(report, error)
    if report.when == "teardown":
        return [_clean_up(entry, why, worker)] if report.failed else []
    if report.skipped:
        return [evidence_for(entry, Verdict.SKIP, why, worker)]
    if report.when == "setup":
        verdict = Verdict.FAIL if isinstance(error, EnforcedError) else Verdict.INCONCLUSIVE
        return [evidence_for(entry, verdict, why, worker)] if report.failed else []
    if report.passed:
        return list(made) or [
            evidence_for(entry, Verdict.INCONCLUSIVE, "the test ended without proving anything", worker)
        ]
    if any(evidence.verdict in BAD for evidence in made):
        return list(made)
    verdict = Verdict.FAIL if isinstance(error, AssertionError) else Verdict.INCONCLUSIVE
    if made:
        return [replace(made[0], verdict=verdict, reason=redact(why)), *made[1:]]
    return [evidence_for(entry, verdict, why, worker)]


def crashed(entry: Planned, report: pytest.TestReport) -> Evidence:
    """Evidence of a test whose process died in it (xdist reports it in the dead process's name)."""
    return evidence_for(entry, Verdict.INCONCLUSIVE, f"the test process died: {report.longreprtext.strip()}", "")


def _clean_up(entry: Planned, why: str, worker: str) -> Evidence:
    name = entry.stage or entry.suite
    told = replace(entry, control=CLEAN_UP, id=f"{CLEAN_UP}[{name}]", title="A stage leaves the mesh as it found it")
    told = replace(told, polarity="state", expected="nothing left, and the state before is back")
    return evidence_for(told, Verdict.INCONCLUSIVE, why, worker)


def _reason(report: pytest.TestReport, error: BaseException | None) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    if error is None:
        return report.longreprtext
    said = str(error) or type(error).__name__
    # One of our own errors reads as it is; for any other its type says what kind of thing broke.
    named = said if isinstance(error, pytest.fail.Exception | AssertionError) else f"{type(error).__name__}: {said}"
    return named.strip().splitlines()[0] if named.strip() else "no reason given"
