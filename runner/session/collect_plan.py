"""The plan of a run, found by a separate pytest that only collects."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from clients.model.errors import MeshproofError, SettingsError
from runner.config.settings import ROOT, Settings
from runner.session.plan import PLAN, PlannedTest


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
        command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
        command += ["--meshproof-plan", str(target), *words]
        home, environment = folder or ROOT, {**os.environ, **wanted.handed()}
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        planned = list(PLAN.validate_json(target.read_bytes()).values()) if target.exists() else []
    if done.returncode or not planned:
        lines = (done.stdout + done.stderr).splitlines()
        errors = [line for line in lines if line.startswith(("E ", "ERROR", "Exit:"))]
        raise SettingsError("nothing was selected" if not errors else f"the suites cannot be read: {errors[0].strip()}")
    return planned


def as_asked(config: pytest.Config, wanted: Settings) -> list[PlannedTest]:
    """The plan of the running pytest, before its workers have collected; empty where it cannot be made.

    The run itself reports what is wrong with its selection.
    """
    asked = config.invocation_params
    try:
        return collect([str(word) for word in asked.args], wanted, asked.dir)
    except MeshproofError:
        return []
