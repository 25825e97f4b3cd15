"""Attaches evidence to its test; evidence that is no pass gets diagnostics, and fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, FindingVerdict, Grade, Verdict
from clients.proof import diagnostics
from reports.formats.terminal import explain
from runner.config import folders
from runner.session import record
from runner.session.needs.excuses import all_known
from runner.session.run_context import RunContext

MADE = pytest.StashKey[list[Evidence]]()
"""Evidence that a test made, on its item."""


@contextmanager
def plainly() -> Iterator[None]:
    """Our own errors fail a test with their one line instead of a traceback."""
    try:
        yield
    except MeshproofError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from error


def attach(request: pytest.FixtureRequest, run_context: RunContext, made: list[Evidence]) -> list[Evidence]:
    """Keep the evidence on the test, with diagnostics where it is no pass; fail the test then.

    A test whose failures are all known ends the same way; the plugin reports it as expected.
    """
    made = [run_context.excused(one) for one in made]
    made = [enforced(one) for one in made] if run_context.settings.enforce else made
    where = _diagnose(request, run_context) if any(one.verdict in record.BAD for one in made) else ""
    made = [replace(one, diagnostics=where) if one.verdict in record.BAD else one for one in made]
    request.node.stash.setdefault(MADE, []).extend(made)
    if wrong := [one for one in made if one.verdict is not Verdict.PASS]:
        run_context.failed += not all_known(wrong, record.BAD)  # not at the report: fixtures are torn down before that
        pytest.fail("\n".join(map(explain, wrong)), pytrace=False)
    return made


def enforced(evidence: Evidence) -> Evidence:
    """With `--enforce` a pass of reduced grade is a failure, whose reason names what was not checked."""
    if evidence.grade is not Grade.REDUCED:
        return evidence
    missing = (one for one in evidence.findings if one.verdict is FindingVerdict.NOT_CHECKED)
    reason = "; ".join(f"{one.name}: {one.text}" for one in missing)
    return replace(evidence, verdict=Verdict.FAIL, grade=None, reason=f"the proof is not whole (--enforce): {reason}")


def _diagnose(request: pytest.FixtureRequest, run_context: RunContext) -> str:
    """Gather diagnostics before anything is undone, once a stage; returns their place, relative to the run's folder."""
    if run_context.running is None:
        return ""
    name = f"{folders.DIAGNOSTICS}/{run_context.running.stage.name}-{run_context.worker}"
    if not (run_context.folder / name).exists():
        diagnostics.collect(request.getfixturevalue("rig"), run_context.running.stage, run_context.folder / name)
    return name
