"""Runs the unit tests against every mutant of the harness: `./meshproof test --harness-mutants`.

A mutant is killed when a test fails on it. The tests run in a copy of the checkout, one mutant after the other, and end
at the first failure. Exit code 0 when all were killed, 1 when one survived or does not apply any more.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clients.model.errors import MeshproofError, SettingsError
from tests.harness_mutants.mutant import HarnessMutant
from tests.harness_mutants.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
CODE = ("benchmarks", "clients", "manifests", "reports", "runner", "suites", "testbed", "tests")
FILES = ("CHANGELOG.md", "README.md", "conftest.py", "meshproof", "pyproject.toml", "requirements.lock", "tox.ini")
COPIED = (*CODE, "deploy", "docs", *FILES)
"""What the unit tests read."""
LIMIT_S = 300.0
"""For the tests of one room; a mutant that hangs them is noticed too."""


def main(names: Sequence[str]) -> int:
    """Try the named mutants, or all; prints a line for each."""
    wanted = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    survivors = []
    try:
        for mutant, killer, took_s in try_each(wanted):
            print(f"{'killed  ' if killer else 'SURVIVED'} {mutant.name:32} {took_s:5.1f} s  {killer}", flush=True)
            survivors += [] if killer else [mutant.name]
    except MeshproofError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(wanted) - len(survivors)} of {len(wanted)} killed")
    return 1 if survivors else 0


def try_each(wanted: Sequence[HarnessMutant]) -> Iterator[tuple[HarnessMutant, str, float]]:
    """Each mutant, the test that noticed it (empty: none), and how long the tests took, in seconds.

    Raises:
        SettingsError: the tests fail without any mutant.
    """
    if not wanted:
        return
    with tempfile.TemporaryDirectory(prefix="meshproof-mutants-") as scratch:
        copy = _copy(Path(scratch))
        passing: set[tuple[str, ...]] = set()
        for mutant in wanted:
            began = time.monotonic()
            yield mutant, _noticed_by(mutant, copy, passing), time.monotonic() - began


def _noticed_by(mutant: HarnessMutant, root: Path, passing: set[tuple[str, ...]]) -> str:
    """The test that notices it: one of the nearest, else one of its rooms; empty for none.

    Args:
        passing: tests that are known to pass without any mutant; what is tried here is added.

    Raises:
        SettingsError: they fail without any mutant.
    """
    for tests in filter(None, (nearest(mutant, root), [f"tests/unit/{room}" for room in mutant.rooms])):
        if tuple(tests) not in passing:
            if failed := _killed_by(root, tests, at_once=False):
                message = f"the tests fail without any mutant, so nothing can be said of the mutants: {failed}"
                raise SettingsError(message, "see `./meshproof test --unit`")
            passing.add(tuple(tests))
        with applied(mutant, root):
            if killer := _killed_by(root, tests):
                return killer
    return ""


def nearest(mutant: HarnessMutant, root: Path) -> list[str]:
    """Files of its rooms' tests that have the name of the file with the wrong line: they notice it soonest."""
    files = (f"tests/unit/{room}/test_{Path(mutant.file).stem}.py" for room in mutant.rooms)
    return [file for file in files if (root / file).exists()]


@contextmanager
def applied(mutant: HarnessMutant, root: Path) -> Iterator[None]:
    """The mutant's line in force below `root`.

    Raises:
        ValueError: what it replaces is not there exactly once.
    """
    path = root / mutant.file
    text = path.read_text(encoding="utf-8")
    path.write_text(mutant.patched(text), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def _copy(scratch: Path) -> Path:
    for name in COPIED:
        source, ignored = ROOT / name, shutil.ignore_patterns("__pycache__", "out")
        if source.is_dir():
            shutil.copytree(source, scratch / name, ignore=ignored)
        else:
            shutil.copy(source, scratch / name)
    return scratch


def _killed_by(root: Path, tests: Sequence[str], *, at_once: bool = True) -> str:
    """The first test that fails, or what else ended the tests; empty where all pass.

    Args:
        tests: files, or folders of rooms.
    """
    command = [sys.executable, "-B", "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-x"] if at_once else []
    command += tests
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(root), "HOME": str(root)}
    limit_s = LIMIT_S * len(tests)
    try:
        ran = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the tests did not end within {limit_s:g} s"
    if not ran.returncode:
        return ""
    lines = (ran.stdout + ran.stderr).splitlines()
    return next((line for line in lines if line.startswith(("FAILED ", "ERROR "))), f"exit code {ran.returncode}")[:160]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
