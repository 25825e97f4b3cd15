"""`meshproof bench NAME`: figures, each compared with what a user would do instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from reports import files
from runner.commands import child
from runner.config import folders, settings

NO_BENCHMARKS = {"__init__", "common", "flips", "inotify", "policies", "scale_figures", "serial", "stability_tables"}


def bench(
    name: Annotated[str, typer.Argument(help="A module of benchmarks/.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of the benchmark.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the figures there.")] = None,
) -> int:
    """Measure, and print a table."""
    known = sorted(p.stem for p in (settings.ROOT / "benchmarks").glob("*.py") if p.stem not in NO_BENCHMARKS)
    if name not in known:
        raise SettingsError(f"there is no benchmark {name}", f"there are: {', '.join(known) or 'none'}")
    words = ["--json", str(folders.check_file(files.real(json), "choose another with --json"))] if json else []
    ended = child.python("-m", f"benchmarks.{name}", *words, *(arguments or ()))
    return ExitCode.INTERRUPTED if ended.interrupted else ended.code
