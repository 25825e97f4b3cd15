"""From what pytest saw of a test to evidence: for tests that proved nothing because they were skipped or broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from clients.model.evidence import Evidence, Subject, Verdict
from clients.model.redact import redact
from runner.session.plan import PlannedTest

PROPERTY = "meshproof"
"""Name of the user property that carries evidence from a test process to the controlling one."""
CLEAN_UP = "X-CLEAN-UP"
"""Our own control: a stage leaves the mesh as it found it (`suites/own.yaml`)."""
BAD = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE})
"""Verdicts that fail a run."""


class EnforcedError(AssertionError):
    """A capability is missing on a target that was said to have everything (`--enforce`)."""


def of_phase(
    planned: PlannedTest, report: pytest.TestReport, error: BaseException | None, made: Sequence[Evidence], worker: str
) -> list[Evidence]:
    """Evidence to hand on after a phase of a test.

    Set-up: only where it skipped or broke. Call: what the test made; a test that ends well without any is a fault of
    the test, and one that breaks after a pass is not a pass. Tear-down: a clean-up that failed is a case of its own.
    A table that did not run has evidence for each of its cells.
    """
    why = redact(_reason(report, error))

    def of_each(verdict: Verdict, reason: str = why) -> list[Evidence]:
        return [Evidence.of(subject, verdict, reason, worker=worker) for subject in planned.subjects]

    if report.when == "teardown":
        return [_clean_up(planned.subject, why, worker)] if report.failed else []
    if report.skipped:
        return of_each(Verdict.SKIP)
    if report.when == "setup":
        verdict = Verdict.FAIL if isinstance(error, EnforcedError) else Verdict.INCONCLUSIVE
        return of_each(verdict) if report.failed else []
    if report.passed:
        return list(made) or of_each(Verdict.INCONCLUSIVE, "the test ended without proving anything")
    if any(evidence.verdict in BAD for evidence in made):
        return list(made)
    verdict = Verdict.FAIL if isinstance(error, AssertionError) else Verdict.INCONCLUSIVE
    if made:
        return [replace(made[0], verdict=verdict, grade=None, reason=why), *made[1:]]
    return of_each(verdict)


def crashed(planned: PlannedTest, report: pytest.TestReport) -> list[Evidence]:
    """Evidence of a test whose process died in it (xdist reports it in the dead process's name)."""
    why = redact(f"the test process died: {report.longreprtext.strip()}")
    return [Evidence.of(subject, Verdict.INCONCLUSIVE, why) for subject in planned.subjects]


def _clean_up(about: Subject, why: str, worker: str) -> Evidence:
    subject = Subject(
        control=CLEAN_UP,
        id=f"{CLEAN_UP}[{about.stage or about.suite}]",
        title="A stage leaves the mesh as it found it",
        polarity="state",
        suite=about.suite,
        stage=about.stage,
        stage_title=about.stage_title,
        expected="nothing left, and the state before is back",
    )
    return Evidence.of(subject, Verdict.INCONCLUSIVE, why, worker=worker)


def _reason(report: pytest.TestReport, error: BaseException | None) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    if error is None:
        return report.longreprtext
    text = str(error) or type(error).__name__
    # One of our own errors reads as it is; for any other its type says what kind of thing broke.
    named = text if isinstance(error, pytest.fail.Exception | AssertionError) else f"{type(error).__name__}: {text}"
    return named.strip().splitlines()[0] if named.strip() else "no reason given"
