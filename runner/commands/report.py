"""`meshproof report` and `meshproof diff`: from the files of earlier runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from reports import conformance, write
from reports.diff import compare
from runner.commands import common
from runner.config import folders, settings

Folder = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Folder of a run; default: the latest.")]
Run = Annotated[Path, typer.Argument(help="Folder of a run, or its conformance.json.")]


def report(run: Folder = None) -> int:
    """Write the reports of a run again, from its journal; also of one that was killed."""
    folder = run or settings.load().out / "latest"
    journal = folder / folders.JOURNAL
    if not journal.is_file():
        raise SettingsError(f"{folder} holds no journal of a run", f"name a folder in {settings.load().out}")
    print(write.write_all(journal.resolve(), folder.resolve()))
    return common.OK


def diff(before: Run, after: Run) -> int:
    """Compare two runs by control; exit 1 when something got worse."""
    difference = compare(conformance.load(before), conformance.load(after))
    print(difference.text())
    return difference.exit_code
