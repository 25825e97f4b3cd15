"""`--rerun-failed [RUN]`: the cases of an earlier run that did not pass, in a run of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from clients.model.errors import SettingsError

OPTION = "--rerun-failed"
LATEST = "latest"


def completed(words: Sequence[str]) -> list[str]:
    """The words of a command line, with the latest run where the option names none."""
    made = []
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else "-"
        made.append(f"{OPTION}={LATEST}" if word == OPTION and following.startswith("-") else word)
    return made


def found(name: str, out: Path) -> Path:
    """The earlier run: a path, or a name in the folder of the runs. Resolved, since `latest` will be another run.

    Raises:
        SettingsError: there is none.
    """
    for path in (Path(name).expanduser(), out / name):
        if path.exists():
            return Path(os.path.realpath(path))
    raise SettingsError(f"there is no run {name} to run again", hint(out))


def hint(out: Path) -> str:
    """How to name a run, with the newest that is there."""
    try:
        runs = [one.parent for one in out.glob("*/conformance.json") if not one.parent.is_symlink()]
        newest = max(runs, key=lambda one: one.stat().st_mtime, default=None)
    except OSError:
        newest = None
    return f"name the folder of a run, for instance {newest}" if newest else f"{out} holds no run; name its folder"


def nothing(run: Path) -> bool:
    """Whether nothing of the run is to be run again; says so.

    Raises:
        ReportError: its report cannot be read.
    """
    from reports import earlier  # only here: every command line imports this module

    before = earlier.load(run)
    if not earlier.again(before):
        print(f"nothing to run again: of run {before.run} no case failed, is inconclusive or was not run")
        return True
    return False
