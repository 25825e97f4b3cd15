"""What a run prints: a line for each case while it goes on, and the summary at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from clients.model.counted import counted
from clients.model.evidence import Evidence, Verdict
from reports.attempts import one_line
from reports.formats.lines import INDENT, STYLES, case_line, explain, print_line, stage_heading, verdict_cell
from reports.headline import duration, headline, span, tone
from reports.known import KnownGroup, advice, by_entry
from reports.marks import GLYPHS, Mark, mark
from reports.matrix import MatrixStage, stages
from reports.reasons import ReasonGroup, by_reason, by_unchecked, short_ids
from reports.record.model import Report

__all__ = ["Progress", "case_line", "explain", "print_summary"]

_LONG = 48
"""Characters from which a reason is not repeated."""
_NARROWEST = 20
"""Columns for the title of a stage in the summary, however narrow the terminal is."""
_WHYS = 3
"""Different causes of one reason that the summary tells."""
_ESTIMATE_FROM_S, _ESTIMATE_FROM_CASES = 5.0, 5


class Progress:
    """Prints each case as its evidence comes: a heading where a stage begins, a long reason once.

    On a terminal, the last line says how many cases are done and how long the rest may take; in a file there are plain
    lines only. Processes of a run take turns: a case that comes after the heading of another stage names its own.
    """

    def __init__(
        self,
        console: Console,
        planned_ids: Iterable[str] = (),
        *,
        live: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin.

        Args:
            planned_ids: ids of all selected cases; none where they are not known.
            live: whether the last line may be written over; by default where the console is a terminal.
            clock: seconds of a clock that only goes forward.
        """
        self.console = console
        self.planned = frozenset(planned_ids)
        self.live = console.is_terminal and console.file.isatty() if live is None else live
        self.clock = clock
        self._began: float | None = None
        self._stage: tuple[str, str] | None = None
        self._stages: set[tuple[str, str]] = set()
        self._reasons: dict[str, str] = {}
        self._whys: set[str] = set()
        self._done: set[str] = set()
        self._counts: Counter[str] = Counter()

    def case(self, evidence: Evidence) -> None:
        """Print what came of one more case."""
        if self._began is None:
            self._began = self.clock()
        self.clear()
        self._line(evidence, self._heading(evidence))
        if evidence.id not in self._done and (evidence.id in self.planned or not self.planned):
            self._done.add(evidence.id)
        self._counts[mark(evidence)] += 1
        if self.live:
            self.console.print(self._status(), end="\r", no_wrap=True, overflow="ellipsis", crop=True)

    def clear(self) -> None:
        """Take the last line away, for whatever else is to be printed there."""
        if self.live:
            self.console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))

    def finish(self) -> None:
        """No more cases."""
        self.clear()

    def _heading(self, evidence: Evidence) -> str:
        """Print it where a stage begins; returns the stage's id where a case comes after another stage's heading."""
        stage = (evidence.suite, evidence.stage)
        if stage in self._stages:
            return "" if stage == self._stage else evidence.stage
        title = one_line(evidence.stage_title or evidence.stage or "no stage")
        heading = stage_heading(title, evidence.stage)
        heading.stylize("bold", 0, len(title))
        self._stage = stage
        self._stages.add(stage)
        self.console.print()
        print_line(self.console, heading)
        return ""

    def _line(self, evidence: Evidence, stage: str) -> None:
        reason = one_line(evidence.reason)
        first = self._reasons.setdefault(reason, evidence.id) if len(reason) >= _LONG else evidence.id
        line = case_line(evidence, None if first == evidence.id else f"same reason as {first}", stage)
        if not self.console.is_terminal:
            self.console.print(line, soft_wrap=True)
        elif evidence.verdict is Verdict.PASS or line.cell_len <= self.console.width:
            self.console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        else:  # the reason is too long for the line: it follows, whole
            title = case_line(evidence, evidence.title or evidence.id, stage)
            self.console.print(title, no_wrap=True, overflow="ellipsis", crop=True)
            print_line(self.console, Text(reason, STYLES[mark(evidence)]), Text(" " * INDENT))
        if evidence.why and evidence.why not in self._whys:
            self._whys.add(evidence.why)
            print_line(self.console, Text(f"why: {one_line(evidence.why)}"), Text(" " * INDENT))

    def _status(self) -> Text:
        """`[ 312/1221 ]  about 4 min 10 s left  2 fail`."""
        done, total = len(self._done), len(self.planned)
        text = Text(f"[ {done}/{total} ]" if total else f"[ {done} ]", "bold")
        if left := self._left():
            text.append(f"  {left}", "not bold dim")
        for key in (Mark.FAIL, Mark.KNOWN, Mark.INCONCLUSIVE):
            if number := self._counts[key]:
                text.append(f"  {number} {key}", STYLES[key])
        return text

    def _left(self) -> str:
        """How long the rest may take, if it goes on as before; empty as long as that is a mere guess."""
        took = self.clock() - (self._began or 0.0)
        done, total = len(self._done), len(self.planned)
        if took < _ESTIMATE_FROM_S or done < _ESTIMATE_FROM_CASES or done >= total:
            return ""
        seconds = took / (done - 1) * (total - done)
        step = 1 if seconds < 10 else 5 if seconds < 60 else 10
        return f"about {span(max(step, round(seconds / step) * step))} left"


def print_summary(console: Console, report: Report, index: Path) -> None:
    """A table of the stages, what is not proven and why, each reason once, and the path of the report."""
    if report.cases:
        console.print()
        console.print(_table(stages(report.cases), console.width))
        console.print()
    for group in by_unchecked(report.cases):
        _print_group(console, Mark.REDUCED, group)
    for known in by_entry(report):
        _print_known(console, known)
    for verdict in (Verdict.SKIP, Verdict.INCONCLUSIVE, Verdict.FAIL):  # the worst last: the end is what is read
        for group in by_reason(report.cases, verdict):
            _print_group(console, Mark(verdict.value), group)
    if report.not_run:
        line = Text(f"{counted(len(report.not_run), 'case')}: {short_ids(report.not_run)}")
        line.append("; not run: deadline" if report.run.deadline else "")
        print_line(console, line, verdict_cell(Mark.NOT_RUN))
    if report.damaged:
        console.print(Text(f"{report.damaged} records of the journal could not be read", "yellow"), soft_wrap=True)
    for note in advice(report):
        print_line(console, Text(note, "yellow"))
    took = duration(report.run.started, report.run.ended)
    style = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}[tone(report)]
    console.print()
    print_line(console, Text(headline(report), style))
    if took:
        console.print(Text(f"took {took}", "dim"))
    console.print(Text(f"report: {index}"), soft_wrap=True)


def _table(listed: Sequence[MatrixStage], width: int) -> Table:
    """Stages by what came of their cases; a column for each verdict that occurs. Titles give way to the numbers."""
    counts = [Counter(mark(case) for case in stage.cases) for stage in listed]
    used = [key for key in GLYPHS if key in (Mark.PASS, Mark.FAIL) or any(row[key] for row in counts)]
    heads = ["(reduced)" if key == Mark.REDUCED else key for key in used]
    heads.append(" slowest")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    room = width - sum(len(head) + 3 for head in heads)  # a blank on both sides and one between
    table.add_column("stage", no_wrap=True, overflow="ellipsis", max_width=max(_NARROWEST, room))
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for stage, row in zip(listed, counts, strict=True):
        slowest = max((case.time_to_stable_s or 0.0 for case in stage.cases), default=0.0)
        cells = [_cell(key, row) for key in used]
        table.add_row(Text(one_line(stage.title)), *cells, f"{slowest:.2f} s" if slowest else "")
    return table


def _cell(key: Mark, counts: Counter[Mark]) -> Text:
    """A number of cases; those with reduced proof, in parentheses, are among those that passed."""
    number = counts[key] + (counts[Mark.REDUCED] if key is Mark.PASS else 0)
    if not number:
        return Text("·", "dim")
    return Text(f"({number})" if key == Mark.REDUCED else str(number), STYLES[key])


def _print_group(console: Console, key: Mark, group: ReasonGroup) -> None:
    """One case by its own line, several by their number and ids; the reason below, whole, once."""
    ids = [case.id for case in group.cases]
    several = f"{len(ids)} cases: {short_ids(ids)}"
    one = f"{one_line(ids[0]):<24} {one_line(group.cases[0].title)}"
    print_line(console, Text(one if len(ids) == 1 else several), verdict_cell(key))
    if group.reason:
        reason = f"not checked: {group.reason}" if key == Mark.REDUCED else group.reason
        print_line(console, Text(reason, _REASON_STYLES[key]), Text(" " * INDENT))
    for why in list(dict.fromkeys(case.why for case in group.cases if case.why))[:_WHYS]:
        print_line(console, Text(f"why: {one_line(why)}"), Text(" " * INDENT))


def _print_known(console: Console, group: KnownGroup) -> None:
    """The cases of one entry, who answers for them until when, and why the first of them failed."""
    ids = [case.id for case in group.cases]
    one = f"{one_line(ids[0]):<24} {one_line(group.cases[0].title)}"
    print_line(console, Text(one if len(ids) == 1 else f"{len(ids)} cases: {short_ids(ids)}"), verdict_cell(Mark.KNOWN))
    for text in (group.entry.text, group.cases[0].reason):
        print_line(console, Text(one_line(text), STYLES[Mark.KNOWN]), Text(" " * INDENT))


_REASON_STYLES = {**STYLES, Mark.FAIL: "red"}
