"""`meshproof diff`: runs compared by control, in the terminal and in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from reports import files
from reports.diff import Difference, compare
from reports.diff.page import render
from reports.diff.plain import to_json, to_markdown
from reports.history.feed import reports_below
from reports.record import conformance
from reports.record.model import Report, ReportError

FORMS: dict[str, Callable[[Difference], str]] = {".html": render, ".md": to_markdown, ".json": to_json}
"""Ending of a file → what is written to it."""

Run = Annotated[
    Path, typer.Argument(help="Folder of a run, its conformance.json, or a folder that holds several runs.")
]
Runs = list[Path] | None


def diff(
    before: Run,
    after: Run,
    more_before: Annotated[
        Runs, typer.Option("--before", metavar="RUN", help="One more run before; repeatable.")
    ] = None,
    more_after: Annotated[Runs, typer.Option("--after", metavar="RUN", help="One more run after; repeatable.")] = None,
    output: Annotated[
        Runs, typer.Option("--output", metavar="FILE", help="Write it as .html, .md or .json too; repeatable.")
    ] = None,
) -> int:
    """Compare runs by control; exit 1 when something got worse."""
    for file in output or ():
        if file.suffix not in FORMS:
            raise SettingsError(f"--output {file} has no known ending", f"name a file that ends in {', '.join(FORMS)}")
    sides = [before, *(more_before or ())], [after, *(more_after or ())]
    _check_output(output or (), *sides)
    runs_before, runs_after = map(_side, sides)
    _check_apart(runs_before, runs_after)
    difference = compare(runs_before, runs_after)
    print(difference.text())
    for file in output or ():
        try:
            files.write_text(file, FORMS[file.suffix](difference))
        except OSError as error:
            raise ReportError(f"cannot write {file}: {error.strerror}") from None
    return difference.exit_code


def _check_output(output: Iterable[Path], *sides: Iterable[Path]) -> None:
    """Raise SettingsError where a file to write is a record to compare: everything else of a run is made from it."""
    compared = {files.real(file) for paths in sides for path in paths for file in _files(path)}
    for file in output:
        if files.real(file) in compared:
            raise SettingsError(f"--output {file} is one of the runs that are compared", "name another file")


def _check_apart(before: Iterable[Report], after: Iterable[Report]) -> None:
    """Raise ReportError where a run is on both sides: compared with itself, nothing ever got worse."""
    both = {one.run.id for one in before} & {one.run.id for one in after}
    if both:
        raise ReportError(f"run {min(both)} is on both sides", "name an earlier and a later run")


def _side(paths: Iterable[Path]) -> list[Report]:
    """The runs of one side, each once, the oldest first.

    Raises:
        ReportError: one cannot be read, or two files are of the same run.
    """
    found: dict[str, tuple[Path, Report]] = {}
    for file in dict.fromkeys(files.real(file) for path in paths for file in _files(path)):
        report = conformance.load(file)
        if report.run.id in found:
            other = found[report.run.id][0]
            raise ReportError(f"{file} and {other} are of the same run {report.run.id}", "name each run once")
        found[report.run.id] = (file, report)
    return sorted((report for _, report in found.values()), key=lambda one: one.run.started)


def _files(path: Path) -> list[Path]:
    """The file of a run, or those of all runs below a folder."""
    own = path / conformance.FILE
    if path.is_dir() and not own.exists():
        problems: list[str] = []
        below = list(reports_below(path, problems.append))
        if problems:
            raise ReportError(problems[0])
        if below:
            return below
    return [own if path.is_dir() else path]
