"""The outcome of a run in one sentence, which names the cluster that it is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from clients.model.counted import counted
from clients.model.evidence import Evidence
from clients.model.known import EMBEDDED
from reports.gates import Gates
from reports.known import expired
from reports.marks import not_checked
from reports.reasons import short_ids
from reports.record.model import Report

_MOST_NAMES = 3


def headline(report: Report) -> str:
    """`Conforms: 1216 of 1221 cases proven on the live cluster prod-eu (istio 1.29.1), 5 skipped`."""
    totals = report.totals
    planned = len(report.cases) + len(report.not_run)
    proven = f"{totals['pass']} of {planned} cases proven on the {report.target.title}"
    if report.reduced:
        proven += f", {len(report.reduced)} of them with reduced proof ({_unchecked(report.reduced)} not checked)"
    known, over = _known(report), expired(report)
    proven += f", {counted(len(over), 'expired entry', 'expired entries')} of known failures" if over else ""
    if report.ok:
        but = " and ".join(filter(None, (known, _allowed(report))))
        return f"{_conforms(report)}{f' but for {but}' if but else ''}: {proven}" + (
            f", {totals['skip']} skipped" if totals["skip"] else ""
        )
    proven += f", {known}" if known else ""
    judged, baseline = report.judged, report.run.gates.baseline
    if judged.failed:
        worse = f" ({len(judged.failed)} of them not in {_compared(report)})" if baseline else ""
        return f"Does not conform: {counted(report.failed, 'case')} failed{worse}, {proven}"
    limits = report.run.gates != Gates()
    return f"Not proven{' (' + '; '.join(judged.over) + ')' if limits else ''}: {proven}"


def _conforms(report: Report) -> str:
    """`Conforms`; where a baseline excuses failures, `No worse than run 20261127-… (2 cases failed there too)`."""
    baseline = report.run.gates.baseline
    if not baseline or not report.failed:
        return "Conforms"
    return f"No worse than {_compared(report)} ({counted(report.failed, 'case')} failed there too)"


def _compared(report: Report) -> str:
    """The baseline: `run 20261127-…`, with its cluster where that or its mesh is another than the report's."""
    baseline = report.run.gates.baseline
    if baseline is None:
        return ""
    other = baseline.of and baseline.of != report.target.title
    return f"run {baseline.run}{f' of the {baseline.of}' if other else ''}"


def _allowed(report: Report) -> str:
    """What is not known and within the limits; empty where all is."""
    number = report.totals["inconclusive"] + report.totals["not_run"]
    return f"{counted(number, 'case')} inconclusive or not run" if number else ""


def tone(report: Report) -> str:
    """The verdict on the whole run: `pass`, `fail` or `inconclusive`."""
    return "pass" if report.ok else "fail" if report.judged.failed else "inconclusive"


def duration(run_started: str, run_ended: str) -> str:
    """`42 s` or `3 min 12 s` between two ISO 8601 times; empty when one is missing."""
    try:
        seconds = (datetime.fromisoformat(run_ended) - datetime.fromisoformat(run_started)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return span(seconds)


def span(seconds: float) -> str:
    """`42 s` or `3 min 12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _known(report: Report) -> str:
    """`3 known failures of the embedded mesh (X-A, X-B, X-C)`; empty where there is none."""
    if not report.known:
        return ""
    entries = [case.known for case in report.known]
    whose = " of the embedded mesh" if all(entry and entry.origin == EMBEDDED for entry in entries) else ""
    ids = short_ids([case.id for case in report.known], _MOST_NAMES)
    return f"{counted(len(report.known), 'known failure')}{whose} ({ids})"


def _unchecked(cases: Iterable[Evidence]) -> str:
    """Names of what was not checked, the most frequent first."""
    names = Counter(name for case in cases for name in {finding.name: None for finding in not_checked(case)})
    shown = [name for name, _ in names.most_common(_MOST_NAMES)]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return (", ".join(shown) or "part of it") + more
