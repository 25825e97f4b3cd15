"""`meshproof selfcheck`: how far the verdicts can be trusted, measured on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import SettingsError
from runner.commands import child, common

MODULE = "tests.selfcheck"
"""The parts are tests of the harness, so they are a program of their own: this room knows no test."""
PARTS = ("mutants",)


def selfcheck(
    mutants: Annotated[bool, typer.Option("--mutants", help="Break the mesh and the harness; all is noticed.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only these mutants: names, patterns, areas, suites; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where this commit's last selfcheck ended.")] = False,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep the reports of the runs there.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures there.")] = None,
    write_page: Annotated[bool, typer.Option("--write-page", help="Write docs/trust.md; alone, runs nothing.")] = False,
) -> int:
    """Measure how far verdicts can be trusted, in parts: all, or those that are named."""
    chosen = [name for name, wanted in zip(PARTS, (mutants,), strict=True) if wanted]
    if only and len(chosen) != 1:
        raise SettingsError("--only selects within one part", f"give one of {', '.join(f'--{name}' for name in PARTS)}")
    words = ["--page"] if write_page else []
    if chosen or not write_page:
        words += ["--parts", *(chosen or PARTS)]
    words += common.words({"only": only})
    words += ["--resume"] if resume else []
    words += common.words({name: path and path.resolve() for name, path in (("keep", keep), ("json", json))})
    ended = child.python("-m", MODULE, *words)
    return common.INTERRUPTED if ended.interrupted else ended.code
