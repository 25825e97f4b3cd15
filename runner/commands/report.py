"""`meshproof report`: the reports of an earlier run, from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from reports import write
from runner.commands import common
from runner.config import folders, settings

Folder = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Folder of a run; default: the latest.")]


def report(run: Folder = None) -> int:
    """Write the reports of a run again, from its journal; also of one that was killed."""
    folder = run or settings.load().out / "latest"
    journal = folder / folders.JOURNAL
    if not journal.is_file():
        raise SettingsError(f"{folder} holds no journal of a run", f"name a folder in {settings.load().out}")
    print(write.write_all(journal.resolve(), folder.resolve()))
    return common.OK
