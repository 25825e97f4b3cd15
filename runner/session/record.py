"""From a report of pytest to evidence: for tests that proved nothing because they were skipped or failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

import pytest

from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Subject, Verdict
from clients.model.redact import redact
from reports.record.coverage import CLEAN_UP
from runner.config.settings import Settings
from runner.session.planned import PlannedTest

PROPERTY = "meshproof"
"""Name of the user property that carries evidence from a test process to the controlling one."""
BAD = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE})
"""Verdicts that fail a run."""


class EnforcedError(AssertionError):
    """A capability is missing on a target that must have all of them (`--enforce`)."""


def skip(why: str, settings: Settings) -> NoReturn:
    """Skip a test whose case the target cannot prove; with `--enforce` it is a failure."""
    if settings.enforce:
        raise EnforcedError(why)
    pytest.skip(why)


def of_phase(
    planned: PlannedTest,
    report: pytest.TestReport,
    error: BaseException | None,
    made: Sequence[Evidence],
    worker: str,
    excused: Callable[[Evidence], Evidence],
) -> list[Evidence]:
    """Evidence to pass on after a phase of a test.

    Set-up: only where it skipped or failed. Call: what the test made; a test that passes without any evidence has a
    defect, and one that fails after a pass is not a pass. Tear-down: a clean-up that failed is a separate case.
    A table that did not run has evidence for each of its cells. `excused` tells known failures from others; evidence
    that the test made has been through it.
    """
    text = redact(_reason(report, error))
    why = error.__cause__.why if error and isinstance(error.__cause__, MeshproofError) else ""

    def of_each(verdict: Verdict, reason: str = text) -> list[Evidence]:
        return [Evidence.of(subject, verdict, reason, worker=worker, why=why) for subject in planned.subjects]

    if report.when == "teardown":
        return [_clean_up(planned.subject, text, worker)] if report.failed else []
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
        return [excused(replace(made[0], verdict=verdict, grade=None, reason=text)), *made[1:]]
    return [excused(one) for one in of_each(verdict)]


def crashed(planned: PlannedTest, report: pytest.TestReport) -> list[Evidence]:
    """Evidence of a test during which its process died (xdist reports it in the name of that process)."""
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
    if isinstance(error, BaseExceptionGroup):  # several fixtures could not be torn down
        return "; ".join(dict.fromkeys(_named(one) for one in _leaves(error)))
    return _named(error)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, and of groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _named(error: BaseException) -> str:
    """The first line of an error.

    The text of our own errors is enough; for any other error its type is part of the reason.
    """
    text = str(error) or type(error).__name__
    own = pytest.fail.Exception | AssertionError | MeshproofError
    named = text if isinstance(error, own) else f"{type(error).__name__}: {text}"
    return named.strip().splitlines()[0] if named.strip() else "no reason given"
