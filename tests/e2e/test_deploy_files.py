"""What the unit tests of `deploy/` use where it is built, built: they pass with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runner.config.settings import ROOT
from testbed.harness import tools
from testbed.progress import to_stderr

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize(
    ("tool", "tests"), [("helm", "runner/config/test_chart.py"), ("tekton", "suites/test_recipes.py")]
)
def test_nothing_of_it_is_skipped(tool: str, tests: str) -> None:
    tools.program(tool, to_stderr)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", f"tests/unit/{tests}"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "is not built here" not in ran.stdout
