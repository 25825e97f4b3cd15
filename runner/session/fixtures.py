"""Fixtures of the suites, from the session down to the test: cluster → world → turn → stage → prove, observe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from clients.kube.cluster import Cluster
from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Verdict
from clients.model.stage import Stage
from clients.proof import diagnostics, table, verify
from clients.proof import observe as observing
from clients.proof.case_runner import CaseJob, CaseRunner
from clients.proof.running_stage import RunningStage
from clients.proof.world import World
from reports.terminal import explain
from runner.config import folders
from runner.session import pictures, record
from runner.session.mesh_lock import MeshLock
from runner.session.run_context import RunContext
from runner.session.selection import Planned, case_of, cases_of
from runner.target import assemble, identity, needs
from runner.target.descriptor import TargetDescriptor
from runner.target.held_target import connect

RUN_CONTEXT = pytest.StashKey[RunContext]()
MADE = pytest.StashKey[list[Evidence]]()
"""Evidence that a test made, on its item."""

Prove = Callable[[Case], Evidence]
ProveTable = Callable[[table.Table], list[Evidence]]
Observe = Callable[..., Evidence]


@contextmanager
def plainly() -> Iterator[None]:
    """Our own errors fail a test with their one line instead of a traceback."""
    try:
        yield
    except MeshproofError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def run_context(pytestconfig: pytest.Config) -> RunContext:
    """State of the run in this process."""
    return pytestconfig.stash[RUN_CONTEXT]


@pytest.fixture(scope="session")
def descriptor(run_context: RunContext) -> TargetDescriptor:
    """The target as the controlling process found it."""
    with plainly():
        return run_context.descriptor()


@pytest.fixture(scope="session")
def cluster(descriptor: TargetDescriptor) -> Cluster:
    """The connection of this process to the target."""
    with plainly():
        return connect(descriptor)


@pytest.fixture(scope="session")
def world(cluster: Cluster, descriptor: TargetDescriptor, run_context: RunContext) -> Iterator[World]:
    """Cluster, overlay, tokens and probe sessions of this process; its grounds are deleted at the end."""
    with plainly():
        run, worker, touch = run_context.run, run_context.worker, run_context.touch
        made = assemble.world(cluster, descriptor, run_context.settings, run, worker, touch, run_context.real)
    yield made
    with plainly():
        made.close(keep=run_context.settings.keep and bool(run_context.failed))


@pytest.fixture(scope="module")
def mesh_lock(request: pytest.FixtureRequest, run_context: RunContext) -> Iterator[MeshLock]:
    """Holds the module's turn: alone when anything in it changes the whole mesh, beside others otherwise."""
    lock = run_context.mesh_lock()
    with lock.exclusive() if any(entry.alone for entry in entries(request, run_context)) else lock.shared():
        yield lock


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest, mesh_lock: MeshLock, world: World, run_context: RunContext
) -> Iterator[RunningStage]:
    """The module's `STAGE`, entered for its selected cases, left and put back after the last of them."""
    definition = getattr(request.module, "STAGE", None)
    if not isinstance(definition, Stage):
        pytest.fail(f"{request.module.__name__} defines no STAGE", pytrace=False)
    wanted = {entry.nodeid for entry in entries(request, run_context) if not why_not(entry, run_context)}
    cases = [case for item in request.session.items if item.nodeid in wanted for case in cases_of(item)]
    run_context.running = running = RunningStage(world, definition, cases)
    with plainly():
        world.remove_other_environments(definition.environment)
        running.__enter__()
        if definition.prefetch:
            world.prepare_in_background(wanted_of(definition.prefetch, run_context))
    try:
        request.config.hook.pytest_meshproof_stage_entered(world=world, stage=definition)
        yield running
    finally:
        if run_context.settings.keep and run_context.failed:
            world.stage_objects.leave()
        else:
            with plainly():
                running.__exit__(None, None, None)
        run_context.running = None


@pytest.fixture(scope="module")
def case_runner(request: pytest.FixtureRequest, stage: RunningStage, run_context: RunContext) -> Iterator[CaseRunner]:
    """Proves the module's cases side by side, step by step, those that take longest from the beginning.

    One by one, as they are asked for, where a process died on them: which of them killed it is known then.
    """
    jobs: list[CaseJob] = []
    if not run_context.enters_first(request.module.__name__):
        with CaseRunner(stage, jobs) as made:
            yield made
        return
    for item in request.session.items:
        entry, case = run_context.plan.get(item.nodeid), case_of(item)
        here = getattr(item, "module", None) is request.module
        if entry and case and here and not why_not(entry, run_context):
            jobs.append(CaseJob(case, facts_of(entry, run_context)))
    with CaseRunner(stage, sorted(jobs, key=lambda job: -job.case.holds_s)) as made:
        run_context.case_runner = made
        yield made
        run_context.case_runner = None


@pytest.fixture
def prove(request: pytest.FixtureRequest, case_runner: CaseRunner, run_context: RunContext) -> Prove:
    """`prove(case)`: converge, prove, keep the evidence; anything but a pass fails the test and says why."""

    def proving(case: Case) -> Evidence:
        facts = facts_of(planned_here(request, run_context, case.control), run_context)
        with plainly():
            evidence = case_runner.evidence(CaseJob(case, facts))
        return attach(request, run_context, evidence)

    return proving


@pytest.fixture
def prove_table(request: pytest.FixtureRequest, stage: RunningStage, run_context: RunContext) -> ProveTable:
    """`prove_table(table)`: every cell, side by side; evidence of each, and one failure for all that did not pass."""

    def proving(cells: table.Table) -> list[Evidence]:
        if run_context.case_runner:
            run_context.case_runner.wait()  # the table may be of another step
        facts = facts_of(planned_here(request, run_context, cells.control), run_context)
        with plainly():
            evidence = table.prove(stage, cells, facts)
        return attach_all(request, run_context, evidence)

    return proving


def facts_of(entry: Planned, run_context: RunContext) -> verify.Facts:
    """What the catalogue and this process know of a test's cases."""
    return verify.Facts(
        title=entry.title,
        polarity=entry.polarity,
        twin=entry.twin,
        suite=entry.suite,
        worker=run_context.worker,
        variant_of_target=variant(entry, run_context),
    )


@pytest.fixture
def observe(request: pytest.FixtureRequest, mesh_lock: MeshLock, run_context: RunContext) -> Observe:
    """`observe(control, expected, problem_of, budget_s=…)` for state controls; see `clients.proof.observe`."""

    def observing_(
        control: str, expected: str, problem_of: observing.ProblemOf, *, budget_s: float | None = None
    ) -> Evidence:
        entry = planned_here(request, run_context, control)
        blank = record.evidence_for(replace(entry, expected=expected), Verdict.INCONCLUSIVE, "", run_context.worker)
        blank = replace(blank, variant_of_target=variant(entry, run_context))
        running = run_context.running
        if running and (evidence := verify.unsettled(running, blank)):
            return attach(request, run_context, evidence)
        budget = budget_s or run_context.settings.budget_s
        return attach(request, run_context, observing.observe(blank, problem_of, budget_s=budget))

    return observing_


@pytest.fixture
def picture(request: pytest.FixtureRequest, run_context: RunContext) -> pictures.Keep:
    """`picture(shot, title)`: what a person sees becomes part of the test's evidence; see `runner.session.pictures`."""
    entry = run_context.plan.get(request.node.nodeid)
    if entry is None:
        pytest.fail("a picture is evidence of a control, and this test proves none", pytrace=False)
    return partial(pictures.keep, request.node, run_context.folder, entry.id)


def attach(request: pytest.FixtureRequest, run_context: RunContext, evidence: Evidence) -> Evidence:
    """Keep the evidence on the test, with diagnostics when it is no pass; fail the test then."""
    return attach_all(request, run_context, [evidence])[0]


def attach_all(request: pytest.FixtureRequest, run_context: RunContext, made: list[Evidence]) -> list[Evidence]:
    """The same for all that one test made."""
    where = diagnose(request, run_context) if any(one.verdict in record.BAD for one in made) else ""
    made = [replace(one, diagnostics=where) if one.verdict in record.BAD else one for one in made]
    request.node.stash.setdefault(MADE, []).extend(made)
    if wrong := [one for one in made if one.verdict is not Verdict.PASS]:
        run_context.failed += 1  # now, not at the report: fixtures are told before that
        pytest.fail("\n".join(map(explain, wrong)), pytrace=False)
    return made


def diagnose(request: pytest.FixtureRequest, run_context: RunContext) -> str:
    """Gather diagnostics before anything is put back, once a stage; returns where, relative to the run's folder."""
    if run_context.running is None:
        return ""
    name = f"{folders.DIAGNOSTICS}/{run_context.running.stage.name}-{run_context.worker}"
    if not (run_context.folder / name).exists():
        diagnostics.collect(request.getfixturevalue("world"), run_context.running.stage, run_context.folder / name)
    return name


def planned_here(request: pytest.FixtureRequest, run_context: RunContext, control: str) -> Planned:
    """The plan's entry of the running test, which must be for this control."""
    entry = run_context.plan.get(request.node.nodeid)
    if entry is None or entry.control != control:
        pytest.fail(
            f"this test is not marked as proving {control}: parametrize `case`, or mark it `control`", pytrace=False
        )
    return entry


def entries(request: pytest.FixtureRequest, run_context: RunContext) -> list[Planned]:
    """The plan's entries of the running module."""
    names = {item.nodeid for item in request.session.items if getattr(item, "module", None) is request.module}
    return [entry for entry in run_context.plan.values() if entry.nodeid in names]


def wanted_of(environment: tuple[str, ...], run_context: RunContext) -> list[str]:
    """Those manifests of a ground that something stands on that is going to run."""
    wanted = {
        path for entry in run_context.plan.values() if not why_not(entry, run_context) for path in entry.environment
    }
    return [path for path in environment if path in wanted]


def why_not(entry: Planned, run_context: RunContext) -> str:
    """Why the target cannot prove this entry's control; empty when it can."""
    control = run_context.catalogue.control(entry.control)
    lacking = needs.reason_to_skip(control, entry.needs, run_context.descriptor(), run_context.settings)
    return lacking or identity.why_not(entry.tokens, run_context.real)


def variant(entry: Planned, run_context: RunContext) -> str:
    """`hermetic` where a substitute proves the control."""
    return needs.variant(run_context.catalogue.control(entry.control), run_context.descriptor())
