"""`meshproof test`: the project's own tests. Quick checks first, pytest's closing line last."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from clients.model.errors import SettingsError
from clients.model.exit_code import ExitCode
from runner.commands import child, common, second_try
from runner.config import settings
from runner.target import browsers
from testbed.versions import istio_release

IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-logo', '--no-cache'])"
"""import-linter's own command, which is not a module that Python can run."""
CHECKS = (
    ("style", ("-m", "ruff", "check", "--quiet", ".")),
    ("format", ("-m", "ruff", "format", "--quiet", "--check", ".")),
    ("imports", ("-c", IMPORTS)),
    ("types", ("-m", "mypy", "--no-error-summary")),
)
UNIT = Path("tests/unit")
ALL_PROCESSORS = ("-n", "auto")
"""For unit tests alone: tests on a cluster share it."""
END_TO_END = Path("tests/e2e")
PROFILES = END_TO_END / "profiles"
"""Tests on the proving clusters, which start these themselves."""
NIGHTLY = "e2e or nightly"
"""Selects all end-to-end tests: without the second word tests/conftest.py leaves the nightly ones out."""


@common.takes("istio")
def own_tests(
    unit: Annotated[bool, typer.Option("--unit", help="Leave the end-to-end tests out.")] = False,
    nightly: Annotated[bool, typer.Option("--nightly", help="Add the whole catalogue on each version.")] = False,
    mutants: Annotated[
        bool, typer.Option("--harness-mutants", help="Instead: the unit tests on mutants of the harness.")
    ] = False,
    profiles: Annotated[
        bool, typer.Option("--profiles", help="Instead: the whole catalogue on each proving cluster.")
    ] = False,
    keyword: common.Keyword = None,
    *,
    given: common.Given,
) -> int:
    """Run the project's own tests: style, types, unit tests, then end to end on the embedded testbed."""
    istio = settings.load(given).istio or None
    _check({"--unit": unit, "--nightly": nightly, "--harness-mutants": mutants, "--profiles": profiles}, istio)
    common.check_expressions(keyword)
    if mutants:
        return _run("mutants of the harness", ("-m", "tests.harness_mutants.run"))
    if profiles:
        return _run("proving clusters", ("-m", "pytest", str(PROFILES), "-m", NIGHTLY, *_selection(keyword)))
    for name, command in CHECKS:
        code = _run(name, command)
        if code:
            return code
    selection = _selection(keyword)
    code = _run("unit tests", ("-m", "pytest", str(UNIT), *ALL_PROCESSORS, *selection))
    if code or unit or not any((settings.ROOT / END_TO_END).glob("test_*.py")):
        if not code:
            _say("end-to-end tests: left out" + ("" if unit else ", there are none"), stream=sys.stderr)
        return code
    _bring_up(istio)
    return _end_to_end(NIGHTLY if nightly else "e2e", selection)


def _end_to_end(marks: str, selection: Sequence[str]) -> int:
    def run(options: Sequence[str]) -> int:
        return _run("end-to-end tests", ("-m", "pytest", str(END_TO_END), "-m", marks, *selection, *options))

    with tempfile.TemporaryDirectory(prefix="meshproof-tests-") as cache:
        return second_try.with_second_try(run, Path(cache), lambda text: _say(text, stream=sys.stderr))


def _selection(keyword: str | None) -> list[str]:
    return ["-k", keyword] if keyword else []


def _check(chosen: Mapping[str, bool], istio: str | None) -> None:
    """Validate the options before the first test, not after the last unit test.

    Raises:
        SettingsError: the testbed cannot run this version, or two options contradict each other.
    """
    istio_release(istio)
    names = [name for name, given in chosen.items() if given]
    if len(names) > 1:
        raise SettingsError(f"{names[0]} and {names[1]} contradict each other", "give one of them")


def _bring_up(istio: str | None) -> None:
    """Build what is missing and start the testbed, with visible progress."""
    from runner.target.in_use import user_of
    from testbed import api

    def progress(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    _say("testbed")
    api.up(istio, progress, in_use=user_of)
    browsers.find_or_install(lambda: True, progress)


def _run(name: str, command: tuple[str, ...]) -> int:
    _say(name)
    began = time.monotonic()
    ended = child.python(*command)
    if ended.interrupted:
        return ExitCode.INTERRUPTED
    if ended.code:
        # On standard error: pytest's closing line stays the last of standard output.
        _say(f"{name}: failed after {time.monotonic() - began:.0f} s (exit {ended.code})", stream=sys.stderr)
    return ended.code


def _say(text: str, stream: TextIO | None = None) -> None:
    print(f"== {text}", file=stream or sys.stdout, flush=True)
