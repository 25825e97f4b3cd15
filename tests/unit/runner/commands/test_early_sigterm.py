"""SIGTERM before a run has begun: as the first process of a container, a program without a handler never gets it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

WAITS = """
import os, time
import runner.commands.cli as cli
def main():
    print("ready", flush=True)
    time.sleep(60)
cli.application = lambda first: lambda **_: main()
import runner.__main__
"""


def ended(command: list[str]) -> tuple[int, str]:
    """Exit code and last words of the command line, which got SIGTERM while a verb looked at the cluster."""
    with subprocess.Popen(
        [*command, sys.executable, "-c", WAITS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        _signal(process.pid, child=bool(command))
        _, errors = process.communicate(timeout=300)  # a lost signal shows by the exit code after a minute
    return process.returncode, errors.strip().splitlines()[-1]


def _signal(pid: int, *, child: bool) -> None:
    if child:  # of unshare, which waits for it
        [pid] = (int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    os.kill(pid, signal.SIGTERM)


def test_it_ends_like_ctrl_c() -> None:
    assert ended([]) == (130, "meshproof: interrupted")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can make a process the first")
def test_the_first_process_of_a_container_gets_it_too() -> None:
    assert ended(["unshare", "--pid", "--fork", "--kill-child"]) == (130, "meshproof: interrupted")
