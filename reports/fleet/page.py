"""`fleet.html` and the lines for a terminal: of one family with the run's page, one file, no network."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clients.model.counted import counted
from clients.model.exit_code import ExitCode
from reports.attempts import one_line
from reports.fleet.matrix import Fleet
from reports.formats.lines import STYLES
from reports.html.frame import frame, templates
from reports.marks import GLYPHS, WORST_FIRST, Mark

TONES: dict[int, Mark] = {ExitCode.OK: Mark.PASS, ExitCode.FAILED: Mark.FAIL, ExitCode.UNKNOWN: Mark.INCONCLUSIVE}
WORDS_OF: dict[int, str] = {
    ExitCode.OK: "conforms",
    ExitCode.FAILED: "does not conform",
    ExitCode.UNKNOWN: "not proven",
}
MOST_CONTROLS = 20
"""Controls that a terminal lists."""


def headline(fleet: Fleet) -> str:
    """`1 of 12 clusters does not conform, 2 are not proven`."""
    numbers = {code: sum(one.code == code for one in fleet.clusters) for code in TONES}
    all_of = counted(len(fleet.clusters), "cluster")
    if numbers[ExitCode.OK] == len(fleet.clusters):
        return "The cluster conforms" if len(fleet.clusters) == 1 else f"All {all_of} conform"
    parts = []
    if failed := numbers[ExitCode.FAILED]:
        parts.append(f"{failed} of {all_of} {'does' if failed == 1 else 'do'} not conform")
    if unknown := numbers[ExitCode.UNKNOWN]:
        parts.append(f"{unknown}{'' if parts else f' of {all_of}'} {'is' if unknown == 1 else 'are'} not proven")
    return ", ".join(parts)


def render(fleet: Fleet, folder: Path) -> str:
    """The whole page; links to the clusters' own pages count from `folder`."""
    environment = templates()
    environment.globals.update(
        tones=TONES,
        words_of=WORDS_OF,
        marks=_used(fleet),
        link=lambda one: quote(os.path.relpath(os.fsencode(one.file.with_name("index.html")), os.fsencode(folder))),
    )
    page = frame(["style.css.j2", "fleet.css.j2"], ["theme.js", "history.js"])
    return environment.get_template("fleet.html.j2").render(
        fleet=fleet, headline=headline(fleet), tone=TONES[fleet.code], page=page
    )


def _used(fleet: Fleet) -> list[Mark]:
    """The marks that occur, the worst first."""
    return [mark for mark in WORST_FIRST if any(one.totals.get(mark) for one in fleet.clusters)]


def show(console: Console, fleet: Fleet) -> None:
    """The clusters, then the controls that did not pass everywhere, both the worst first; the headline last."""
    used = _used(fleet)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("cluster", overflow="fold")
    table.add_column("run", no_wrap=True)
    table.add_column("")
    for mark in used:
        table.add_column(mark, justify="right")
    for one in fleet.clusters:
        tone = TONES[one.code]
        cells = [Text(str(one.totals.get(mark, 0)), STYLES[mark] if one.totals.get(mark) else "dim") for mark in used]
        table.add_row(
            Text(one.name),
            one.started[:16],
            Text(f"{GLYPHS[tone]} {WORDS_OF[one.code]}", STYLES[tone]),
            *cells,
        )
    console.print(table)
    for control in fleet.uneven[:MOST_CONTROLS]:
        at = [f"{GLYPHS[one.marks[control]]} {one.name}" for one in fleet.clusters
              if one.marks.get(control, Mark.PASS) not in (Mark.PASS, Mark.REDUCED, Mark.SKIP)]  # fmt: skip
        shown = ", ".join(at[:5]) + (f" and {len(at) - 5} more" if len(at) > 5 else "")
        console.print(Text(f"{one_line(control):<24} {shown}"), soft_wrap=True)
    if len(fleet.uneven) > MOST_CONTROLS:
        console.print(Text(f"and {len(fleet.uneven) - MOST_CONTROLS} more controls", "dim"))
    console.print(Text(headline(fleet), STYLES[TONES[fleet.code]]), soft_wrap=True)
