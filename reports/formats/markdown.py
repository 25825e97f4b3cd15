"""`summary.md`: for a job summary. GitHub refuses one above 1 MiB, so what is long is cut."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clients.model.evidence import Evidence, Verdict
from reports.attempts import fold, one_line
from reports.cells import cell as _cell
from reports.cells import cut as _cut
from reports.headline import duration, headline
from reports.known import KnownGroup, advice, by_entry
from reports.marks import GLYPHS, WORDS, WORST_FIRST, Mark, finding_line, mark
from reports.matrix import stages
from reports.notice.news import News
from reports.reasons import ReasonGroup, by_reason, by_unchecked, short_ids
from reports.record.model import Report

LIMIT = 1024 * 1024 - 1024
"""Bytes (GitHub Docs, "Step isolation and limits": 1 MiB a step), less a margin."""
_LONGEST_DETAIL, _SHORTEST_DETAIL = 12_000, 300
_MOST_NAMES = 200
NO_NEWS = News()


def render(report: Report, limit: int = LIMIT, news: News = NO_NEWS) -> str:
    """The summary, at most `limit` bytes in UTF-8: totals, what is new, what failed with details, then all cases.

    Of what failed, what is new comes first. What was skipped, or passed with reduced proof, is listed by its reason,
    and known failures by their entries.
    """
    parts = [_head(report), *_news(news)]
    table = _table(report)
    worst = [case for key in ("fail", "inconclusive") for case in report.cases if mark(case) == key]
    worst.sort(key=lambda case: case.id not in news.worse)
    if worst:  # details give way to the table, in characters of at most four bytes
        room = (limit - sum(len(part.encode(errors="replace")) for part in (*parts, *table))) // len(worst) // 4
        parts += (_failure(case, max(_SHORTEST_DETAIL, min(room, _LONGEST_DETAIL))) for case in worst)
    if report.not_run:
        names = ", ".join(_cell(key) for key in report.not_run[:_MOST_NAMES])
        why = ": deadline" if report.run.deadline else ""
        parts.append(f"**Not run{why} ({len(report.not_run)}):** {names}\n\n")
    parts += _known(by_entry(report))
    parts += _reasons("Passed with reduced proof, as this was not checked", by_unchecked(report.cases))
    parts += _reasons("Skipped", by_reason(report.cases, Verdict.SKIP))
    parts += table
    text, used = [], 0
    for index, part in enumerate(parts):
        size = len(part.encode(errors="replace"))
        note = f"\n_{len(parts) - index} more parts are left out here; see conformance.json and index.html._\n"
        if used + size + len(note) > limit:
            text.append(note if used + len(note) <= limit else "")
            break
        text.append(part)
        used += size
    return "".join(text)


def _head(report: Report) -> str:
    run, target, mesh, totals = report.run, report.target, report.target.mesh, report.totals
    facts = [f"{mesh.name} {mesh.version}".strip(), f"Kubernetes {target.kubernetes}" if target.kubernetes else ""]
    facts += [f"{target.kind} target {target.context}".strip(), f"run {run.id}", duration(run.started, run.ended)]
    columns = (
        (f"{GLYPHS[Mark.PASS]} pass", totals["pass"]),
        (f"{GLYPHS[Mark.REDUCED]} of them reduced", totals["reduced"]),
        (f"{GLYPHS[Mark.FAIL]} fail", report.failed),
        *([(f"{GLYPHS[Mark.KNOWN]} {WORDS[Mark.KNOWN]}", totals["known"])] if totals["known"] else []),
        *((f"{GLYPHS[name]} {name}", totals[name]) for name in (Mark.INCONCLUSIVE, Mark.SKIP)),
        (f"{GLYPHS[Mark.NOT_RUN]} not run", totals["not_run"]),
    )
    return (
        f"## {headline(report)}\n\n{', '.join(_cell(fact) for fact in facts if fact)}\n\n"
        + f"| {' | '.join(name for name, _ in columns)} |\n"
        + "| ---: " * len(columns)
        + f"|\n| {' | '.join(str(number) for _, number in columns)} |\n\n"
        + (f"The run was stopped by {_cell(run.stopped)}.\n\n" if run.stopped else "")
        + (f"{report.damaged} records of the journal could not be read.\n\n" if report.damaged else "")
        + "".join(f"{_cell(line)}\n\n" for line in advice(report))
    )


def _news(news: News) -> list[str]:
    """What changed since the earlier runs of the same cluster; nothing where there is none."""
    if not news.since:
        return []
    parts = []
    for title, names in (("New", news.worse), ("Good again", news.good)):
        if names:
            more = ", …" if len(names) > _MOST_NAMES else ""
            listed = ", ".join(map(_cell, names[:_MOST_NAMES]))
            parts.append(f"**{title} since run {_cell(news.since)} ({len(names)}):** {listed}{more}\n\n")
    return parts or [f"Nothing is new since run {_cell(news.since)}.\n\n"]


def _failure(case: Evidence, longest: int) -> str:
    rows = "\n".join(row.text for row in fold(case.attempts))
    lines = [f"expected  {case.expected}", f"observed  {case.observed}", f"reason    {case.reason}"]
    lines += [f"why       {one_line(case.why)}"] if case.why else []
    lines += [f"request   {case.command}"] if case.command else []
    lines += map(finding_line, case.findings)
    lines += [f"diagnostics: {case.diagnostics}"] if case.diagnostics else []
    body = _cut("\n".join([*lines, "", rows]), longest)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", body)), default=0))
    title = f"{GLYPHS[Mark(case.verdict.value)]} <b>{_cell(case.id)}</b> {_cell(case.title)}"
    opened = " open" if case.verdict is Verdict.FAIL else ""
    head = f"<details{opened}><summary>{title} ({case.verdict})</summary>"
    return f"{head}\n\n{fence}text\n{body}\n{fence}\n\n</details>\n\n"


def _known(groups: Sequence[KnownGroup]) -> list[str]:
    if not groups:
        return []
    number = sum(len(group.cases) for group in groups)
    rows = [f"**Known failures ({number}):**\n\n"]
    for group in groups:
        cases, why = _cell(short_ids([case.id for case in group.cases])), _cell(group.cases[0].reason)
        rows.append(f"- {cases}: {why} (known {_cell(group.entry.text)})\n")
    return [*rows, "\n"]


def _reasons(title: str, groups: Sequence[ReasonGroup]) -> list[str]:
    if not groups:
        return []
    number = sum(len(group.cases) for group in groups)
    rows = [f"**{title} ({number}):**\n\n"]
    rows += (f"- {_cell(group.reason)}: {_cell(short_ids([case.id for case in group.cases]))}\n" for group in groups)
    return [*rows, "\n"]


def _table(report: Report) -> list[str]:
    heads = "| | Case | What must hold | Expected | Observed | Stable after |\n"
    rows = [f"### All cases\n\n{heads}| --- | --- | --- | --- | --- | ---: |\n"]
    groups = sorted(stages(report.cases), key=lambda stage: WORST_FIRST.index(stage.worst))
    for case in (case for stage in groups for case in stage.cases):
        stable = "" if case.time_to_stable_s is None else f"{case.time_to_stable_s:.2f} s"
        seen = case.observed or case.reason
        cells = (f"{GLYPHS[mark(case)]} {WORDS[mark(case)]}", case.id, case.title, case.expected, seen, stable)
        rows.append(f"| {' | '.join(map(_cell, cells))} |\n")
    return rows
