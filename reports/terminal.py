"""What a run says on the terminal, and in the message of a failed assertion."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.model.evidence import Evidence, Verdict
from reports.argument import findings
from reports.attempts import fold, one_line
from reports.html import GLYPHS, duration, headline
from reports.matrix import stages
from reports.model import Report

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "skip": "dim", "not-run": "dim"}
_MOST_ROWS = 24


def print_case(console: Console, evidence: Evidence) -> None:
    """One line for a case while the run goes on; cut to the width of a terminal, whole in a file."""
    if console.is_terminal:
        console.print(case_line(evidence), no_wrap=True, overflow="ellipsis", crop=True)
    else:
        console.print(case_line(evidence), soft_wrap=True)


def case_line(evidence: Evidence) -> Text:
    """The line of a case.

    `✓ pass  LAB-MTLS-03  000 reset (56)  0.67 s  Under mesh-wide STRICT plain to injected is refused`
    """
    style = STYLES[evidence.verdict]
    line = Text()
    line.append(f"{GLYPHS[evidence.verdict]} {evidence.verdict:<12} ", style)
    line.append(f"{one_line(evidence.id):<24} ")
    if evidence.verdict is Verdict.PASS:
        line.append(f"{one_line(evidence.observed):<15} ")
        stable = evidence.time_to_stable_s
        line.append(f"{'' if stable is None else f'{stable:.2f} s':>8}  ", "dim")
        line.append(one_line(evidence.title))
        line.append(" (slow)" if evidence.slow else "", "yellow")
    else:
        line.append(one_line(evidence.reason or evidence.title))
    return line


def explain(evidence: Evidence) -> str:
    """Plain text of several lines: expected, what was seen on each attempt, what was found, what to look at."""
    lines = [
        f"{evidence.id} {one_line(evidence.title)}",
        f"  {evidence.verdict}: {one_line(evidence.reason)}" if evidence.reason else f"  {evidence.verdict}",
        f"  expected  {one_line(evidence.expected)}",
        f"  observed  {one_line(evidence.observed)}",
    ]
    if evidence.source:
        lines.append(f"  path      {evidence.source} → {evidence.destination}")
    if evidence.command:
        lines.append(f"  request   {one_line(evidence.command)}")
    rows = fold(evidence.attempts)
    if rows:
        lines.append("  attempts, in seconds since the change")
        half = _MOST_ROWS // 2
        kept = [row.text for row in rows]
        if len(rows) > _MOST_ROWS:
            kept = [*kept[:half], f"… {len(rows) - 2 * half} more changes of the answer …", *kept[-half:]]
        lines += [f"    {row}" for row in kept]
    signs = {True: GLYPHS["pass"], False: GLYPHS["fail"], None: "•"}
    found = [
        f"    {signs[item.held]} {' '.join(filter(None, (item.name, item.twin)))}: {one_line(item.text)}"
        for item in findings(evidence)
    ]
    if found:
        lines += ["  findings", *found]
    if evidence.applied:
        objects = ", ".join(f"{item.kind} {item.namespace}/{item.name} ({item.manifest})" for item in evidence.applied)
        lines.append(f"  applied   {objects}")
    if evidence.diagnostics:
        lines.append(f"  look at   {evidence.diagnostics}")
    return "\n".join(lines)


def print_summary(console: Console, report: Report, index: Path) -> None:
    """A table of the stages, what is not proven and why, and the path of the report."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("stage")
    for verdict in Verdict:
        table.add_column(verdict.value, justify="right")
    table.add_column("slowest", justify="right")
    for stage in stages(report.cases):
        slowest = max((case.time_to_stable_s or 0.0 for case in stage.cases), default=0.0)
        counts = [sum(case.verdict is verdict for case in stage.cases) for verdict in Verdict]
        cells = [
            Text(str(number), STYLES[verdict]) if number else Text("·", "dim")
            for verdict, number in zip(Verdict, counts, strict=True)
        ]
        table.add_row(Text(stage.name or stage.suite or "cases"), *cells, f"{slowest:.2f} s" if slowest else "")
    if report.cases:
        console.print(table)
    for case in report.cases:
        if case.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            console.print(case_line(case), soft_wrap=True)
    for key in report.not_run:
        console.print(Text(f"{GLYPHS['not-run']} not run      {key}", STYLES["not-run"]), soft_wrap=True)
    if report.damaged:
        console.print(Text(f"{report.damaged} records of the journal could not be read", "yellow"), soft_wrap=True)
    took = duration(report.run.started, report.run.ended)
    tone = "green" if report.ok else "bold red" if report.totals["fail"] else "yellow"
    console.print(Text(headline(report), tone), Text(f"in {took}" if took else "", "dim"))
    console.print(Text(f"report: {index}"), soft_wrap=True)
