"""What the tests of this process prove: subjects and budgets on this target, and why it cannot prove one of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.model.evidence import Subject
from runner.session.items import module_of
from runner.session.planned import PROVES, Proves
from runner.session.run_context import RunContext
from runner.target import identity, needs


def subjects_of(proves: Proves, run_context: RunContext) -> dict[str, Subject]:
    """By case id, what the evidence of a test's cases is about, on this target."""
    substitute = needs.variant(proves.control, run_context.descriptor())
    return {subject.id: replace(subject, substitute=substitute) for subject in proves.planned.subjects}


def budget_of(proves: Proves, run_context: RunContext) -> float | None:
    """Seconds for the case to converge, where that is not the run's budget."""
    return run_context.excuses.budget_s(proves.planned.id, run_context.descriptor().target.mesh.version)


def proves_here(request: pytest.FixtureRequest, control: str) -> Proves:
    """What the running test proves, which must be this control."""
    proves: Proves | None = request.node.stash.get(PROVES, None)
    if proves is None or proves.control.id != control:
        pytest.fail(
            f"this test is not marked as proving {control}: parametrize `case`, or mark it `control`", pytrace=False
        )
    return proves


def proven_here(request: pytest.FixtureRequest) -> list[Proves]:
    """What the tests of the running module prove, in their order."""
    items = (item for item in request.session.items if module_of(item) is request.module)
    return [item.stash[PROVES] for item in items if PROVES in item.stash]


def wanted_of(request: pytest.FixtureRequest, environment: tuple[str, ...], run_context: RunContext) -> list[str]:
    """Those manifests of an environment that a test of this run needs."""
    planned = (item.stash[PROVES] for item in request.session.items if PROVES in item.stash)
    wanted = {path for proves in planned if not why_not(proves, run_context) for path in proves.planned.environment}
    return [path for path in environment if path in wanted]


def why_not(proves: Proves, run_context: RunContext) -> str:
    """Why the target cannot prove this test's control; empty when it can."""
    planned = proves.planned
    lacking = needs.reason_to_skip(proves.control, planned.needs, run_context.descriptor(), run_context.settings)
    return lacking or identity.why_not(planned.tokens, run_context.real)
