"""`meshproof history`: what many runs showed, night by night."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from clients.model.counted import counted
from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from reports.history import write

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of your runs; every conformance.json below it.")]
File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The history; default: history.sqlite in DIR.")
]
Keep = Annotated[
    str | None, typer.Option(metavar="DAYS", help="Remove runs that are older than this: 90d. Default: keep all.")
]


def history(folder: Folder, file: File = None, keep: Keep = None) -> int:
    """Import the runs of a folder into one file, and write history.html and history.json next to it."""
    fed, page = write.update(folder, file, _days(keep))
    for problem in fed.problems:
        print(f"meshproof: {problem}", file=sys.stderr)
    for line in fed.ahead:
        print(line)
    removed = f", {counted(fed.removed, 'run')} removed for their age" if fed.removed else ""
    print(f"{counted(fed.added, 'run')} imported, {fed.there} there already{removed}")
    print(page)
    return ExitCode.BAD_INPUT if fed.problems else ExitCode.OK


def _days(text: str | None) -> int | None:
    if text is None:
        return None
    if not (found := re.fullmatch(r"([1-9]\d{0,4})d", text)):
        raise SettingsError(f"--keep {text!r} is no number of days", "for instance --keep 90d")
    return int(found[1])
