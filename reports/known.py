"""What a run shows about the lists of known failures that it went by: who answers for what, and what to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clients.model.evidence import Evidence, Verdict
from clients.model.known import KnownFailure
from reports.attempts import one_line
from reports.reasons import short_ids
from reports.record.model import Report


@dataclass(frozen=True)
class KnownGroup:
    """The failures that one entry excuses, in order."""

    entry: KnownFailure
    cases: tuple[Evidence, ...]


def by_entry(report: Report) -> tuple[KnownGroup, ...]:
    """The known failures, by their entry."""
    grouped: dict[KnownFailure, list[Evidence]] = {}
    for case in report.known:
        if case.known:
            grouped.setdefault(case.known, []).append(case)
    return tuple(KnownGroup(entry, tuple(cases)) for entry, cases in grouped.items())


def expired(report: Report) -> tuple[KnownFailure, ...]:
    """Entries about cases of this run whose last day was before the run: each is an error."""
    day = report.run.started
    ids = [*(case.id for case in report.cases), *report.not_run]
    return tuple(entry for entry in _entries(report) if day and entry.expired(day) and any(map(entry.names, ids)))


def advice(report: Report) -> tuple[str, ...]:
    """A line for each entry that expired, names what passes, or names more than what fails."""
    over = expired(report)
    lines = [
        f"the known failure {entry.control} ({entry.origin}) expired on {entry.until} and excuses nothing: "
        f"renew or remove its entry ({entry.owner}, {entry.link})"
        for entry in over
    ]
    in_force = (entry for entry in _entries(report) if entry not in over)
    return tuple(map(one_line, [*lines, *filter(None, (_too_much(entry, report.cases) for entry in in_force))]))


def _entries(report: Report) -> Iterable[KnownFailure]:
    return (entry for entry in report.run.known_failures if entry.fits(report.target.mesh.version))


def _too_much(entry: KnownFailure, cases: Iterable[Evidence]) -> str:
    """What to change about an entry in force; empty where it names nothing that passed."""
    named = [case for case in cases if entry.names(case.id)]
    passed = [case.id for case in named if case.verdict is Verdict.PASS]
    if not passed:
        return ""
    if all(case.verdict in (Verdict.PASS, Verdict.SKIP) for case in named):
        return f"{short_ids(passed)} passed: remove the known failure {entry.control} ({entry.origin})"
    return (
        f"the known failure {entry.control} ({entry.origin}) also names what passed: {short_ids(passed)}; "
        "name only what fails"
    )
