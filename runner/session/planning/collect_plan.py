"""The plan of a run, found by a pytest that only collects: of its own, or in the process of the run."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from clients.model.errors import SettingsError
from runner.config.settings import ROOT, Settings
from runner.session.planned import PLAN, PlannedTest

_ONLY = ("-q", "--collect-only", "-p", "no:cacheprovider")
_INTERNAL = "INTERNALERROR> "
"""Begins the lines of an error that is none of a suite."""


def collect(words: Sequence[str], wanted: Settings, folder: Path | None = None) -> list[PlannedTest]:
    """What pytest would run with these words.

    Args:
        wanted: the settings; that pytest reads no other source.
        folder: to run in; default: the root of the checkout.

    Raises:
        SettingsError: nothing was selected, or a suite cannot be read: the plan would silently lack its controls.
    """
    with tempfile.TemporaryDirectory(prefix="meshproof-plan-") as scratch:
        target = Path(scratch) / "plan.json"
        command = [sys.executable, "-m", "pytest", *_ONLY, "--meshproof-plan", str(target), *words]
        home, environment = folder or ROOT, {**os.environ, **wanted.handed()}
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        planned = _read(target)
    if done.returncode or not planned:
        raise SettingsError(_why((done.stdout + done.stderr).splitlines()))
    return planned


def as_asked(config: pytest.Config, wanted: Settings) -> list[PlannedTest]:
    """The plan of the running pytest, before its workers have collected; empty where it cannot be made.

    The run itself reports what is wrong with its selection.
    """
    asked = config.invocation_params
    with tempfile.TemporaryDirectory(prefix="meshproof-plan-") as scratch:
        target = Path(scratch) / "plan.json"
        words = [*_ONLY, "-s", *map(str, asked.args), "--meshproof-plan", str(target)]
        return _read(target) if _collect_here(words, wanted, asked.dir) else []


def _read(plan: Path) -> list[PlannedTest]:
    return list(PLAN.validate_json(plan.read_bytes()).values()) if plan.exists() else []


def _collect_here(words: Sequence[str], wanted: Settings, folder: Path) -> bool:
    """Collect in this process: another one would import everything once more, which takes 2 s before any worker starts.

    Returns whether all was collected.

    Raises:
        KeyboardInterrupt: it was interrupted. pytest makes an exit code of that, which bad input has as well.
    """
    interrupted = _Interrupted()
    shown = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(shown),
    ):
        patch.chdir(folder)
        for name, value in wanted.handed().items():
            patch.setenv(name, value)
        code = pytest.main([*words], plugins=[interrupted])
    if interrupted.seen:
        raise KeyboardInterrupt
    return not code


class _Interrupted:
    """A plugin that notes whether pytest was interrupted, and did not end by itself."""

    seen = False

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """`pytest.exit`, and suites that cannot be read, are reported here too, each by an exception of its own."""
        self.seen = self.seen or excinfo.type is KeyboardInterrupt


def _why(lines: Sequence[str]) -> str:
    """Why there is no plan, in one line: a mistake that the plugin found, an error while collecting, or no test."""
    for line in lines:
        if found := re.fullmatch(r"meshproof: (.*)", line):
            return found[1]
    for first in ("E ", "ERROR"):
        if errors := [line for line in lines if line.startswith(first)]:
            return f"the suites cannot be read: {errors[-1 if first == 'E ' else 0].removeprefix('E ').strip()}"
    if internal := [line.removeprefix(_INTERNAL).strip() for line in lines if line.startswith(_INTERNAL)]:
        places = [Path(found[1]).name for line in internal if (found := re.match(r'File "(.+)", line', line))]
        what = next(filter(None, reversed(internal)), "")
        return f"internal error: {what} in {(places or ['pytest'])[-1]}; please report it"
    return "nothing was selected"
