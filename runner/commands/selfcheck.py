"""`meshproof selfcheck`: how far the verdicts can be trusted, measured on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from reports import files
from runner.commands import child, common
from runner.config import folders

MODULE = "tests.selfcheck"
"""The parts are tests of the harness, so they are a program of their own: this room knows no test."""
PARTS = ("mutants", "alarms", "faults", "flips")


def selfcheck(
    mutants: Annotated[bool, typer.Option("--mutants", help="Break the mesh and the harness; all is noticed.")] = False,
    alarms: Annotated[bool, typer.Option("--alarms", help="Disturb whole runs; no verdict changes.")] = False,
    faults: Annotated[bool, typer.Option("--faults", help="Break what a run needs; nothing is lost or left.")] = False,
    flips: Annotated[bool, typer.Option("--flips", help="Change policies; no answer contradicts `stable`.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only these mutants, faults or disturbances; patterns too; repeatable."),
    ] = None,
    runs: Annotated[int | None, typer.Option(metavar="N", min=1, help="Whole runs of `--alarms`; 20.")] = None,
    changes: Annotated[int | None, typer.Option(metavar="N", min=1, help="Changes of `--flips`; 1,000.")] = None,
    suite: Annotated[
        list[str] | None, typer.Option(metavar="SUITE", help="Suites of the runs of `--alarms`; default: all.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where this commit's last selfcheck ended.")] = False,
    untried: Annotated[
        bool, typer.Option("--untried", help="Only mutants that docs/trust.md does not have as they are today.")
    ] = False,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the reports of the runs there.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures there.")] = None,
    write_page: Annotated[bool, typer.Option("--write-page", help="Write docs/trust.md; alone, runs nothing.")] = False,
) -> int:
    """Measure how far verdicts can be trusted, in four parts: all, or those that are named. All take hours."""
    chosen = [name for name, wanted in zip(PARTS, (mutants, alarms, faults, flips), strict=True) if wanted]
    if only and len(chosen) != 1:
        raise SettingsError("--only selects within one part", f"give one of {', '.join(f'--{name}' for name in PARTS)}")
    if untried and chosen != ["mutants"]:
        raise SettingsError("--untried selects among mutants", "give --mutants, and no other part")
    if json:
        folders.check_file(files.real(json), "choose another with --json")
    if keep:
        folders.check_writable(files.real(keep), "choose another with --keep")
    words = ["--page"] if write_page else []
    if chosen or not write_page:
        words += ["--parts", *(chosen or PARTS)]
    words += common.words({"only": only, "runs": runs, "changes": changes, "suite": suite})
    words += [f"--{name}" for name, wanted in (("resume", resume), ("untried", untried)) if wanted]
    words += common.words({name: path and files.real(path) for name, path in (("keep", keep), ("json", json))})
    ended = child.python("-m", MODULE, *words)
    return ExitCode.INTERRUPTED if ended.interrupted else ended.code
