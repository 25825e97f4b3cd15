"""`meshproof merge`: the newest run of each of many clusters in one matrix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.model.exit_code import ExitCode
from reports.fleet import page, write

Folders = Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders; every conformance.json below them.")]
To = Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Where to write; default: the first DIR.")]


def merge(folders: Folders, to: To = None) -> int:
    """Merge the newest runs of many clusters to one matrix by cluster and control; write fleet.html and fleet.json."""
    fleet, index = write.update(folders, to or folders[0])
    for problem in fleet.problems:
        print(f"meshproof: {problem}", file=sys.stderr)
    page.show(Console(), fleet)
    print(f"report: {index}")
    return ExitCode.BAD_INPUT if fleet.problems else fleet.code
