"""Fixtures of the suites, from the session down to the test.

    cluster → rig → mesh_lock → stage → case_runner → prove, prove_table, observe

All cases of a module begin when its first test requests `case_runner`, in parallel; a test takes the evidence of its
own case. Only that runner takes a stage's steps. A test without a case waits until the cases
before it are proven (`plugin.pytest_runtest_setup`), unless it is marked independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from clients.kube.cleanup import Leftover
from clients.kube.cluster import Cluster
from clients.model.case import Case
from clients.model.errors import LackingError
from clients.model.evidence import Evidence
from clients.model.refused import RefusedManifest
from clients.model.stage import Stage
from clients.proof import prove as proof
from clients.proof import refused as refused_proof
from clients.proof import table
from clients.proof.case_runner import CaseJob, CaseRunner
from clients.proof.proving import ProblemOf
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage
from runner.session import pictures, run_images
from runner.session.attach import attach, plainly
from runner.session.items import cases_of
from runner.session.mesh_lock import MeshLock
from runner.session.planned import PROVES
from runner.session.proven import budget_of, proven_here, proves_here, subjects_of, wanted_of, why_not
from runner.session.record import skip
from runner.session.run_context import RunContext
from runner.target import assemble
from runner.target.descriptor import TargetDescriptor
from runner.target.held_target import connect, left_by

RUN_CONTEXT = pytest.StashKey[RunContext]()

Prove = Callable[[Case], Evidence]
ProveTable = Callable[[table.Table], list[Evidence]]
ProveRefused = Callable[[RefusedManifest], Evidence]
Observe = Callable[..., Evidence]
Leftovers = Callable[[], list[Leftover]]


@pytest.fixture(scope="session")
def run_context(pytestconfig: pytest.Config) -> RunContext:
    """State of the run in this process."""
    return pytestconfig.stash[RUN_CONTEXT]


@pytest.fixture(scope="session")
def descriptor(run_context: RunContext) -> TargetDescriptor:
    """The target as the controlling process described it."""
    with plainly():
        return run_context.descriptor()


@pytest.fixture(scope="session")
def cluster(descriptor: TargetDescriptor) -> Cluster:
    """The connection of this process to the target."""
    with plainly():
        return connect(descriptor)


@pytest.fixture(scope="session")
def rig(cluster: Cluster, descriptor: TargetDescriptor, run_context: RunContext) -> Iterator[Rig]:
    """Cluster, overlay, tokens and probe sessions of this process; its environments are deleted at the end."""
    with plainly():
        run, worker, touch = run_context.run, run_context.worker, run_context.touch
        made = assemble.rig(cluster, descriptor, run_context.settings, run, worker, touch, run_context.real)
    yield made
    with plainly():
        made.close(keep=run_context.settings.keep and bool(run_context.failed))


@pytest.fixture(scope="session")
def leftovers(rig: Rig) -> Leftovers:
    """`leftovers()`: the objects of this run that exist now, found as the clean-up at its end finds them."""
    return partial(left_by, rig.cluster, rig.overlay.run)


@pytest.fixture(scope="module")
def mesh_lock(request: pytest.FixtureRequest, run_context: RunContext) -> Iterator[MeshLock]:
    """Held for the module: exclusively when anything in it changes the whole mesh, shared otherwise."""
    lock = run_context.mesh_lock()
    alone = any(proves.planned.alone for proves in proven_here(request))
    with lock.exclusive() if alone else lock.shared():
        yield lock


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest, mesh_lock: MeshLock, rig: Rig, run_context: RunContext
) -> Iterator[RunningStage]:
    """The module's `STAGE`, entered for its selected cases, left and undone after the last of them."""
    definition = getattr(request.module, "STAGE", None)
    if not isinstance(definition, Stage):
        pytest.fail(f"{request.module.__name__} defines no STAGE", pytrace=False)
    definition = definition.on(run_context.descriptor().capabilities)
    cases = [case for proves in proven_here(request) if not why_not(proves, run_context) for case in proves.cases]
    run_context.running = running = RunningStage(rig, definition, cases, cases_of(request.module))
    with plainly():
        rig.remove_other_environments(definition.environment)
        try:
            running.__enter__()
        except LackingError as error:
            skip(str(error), run_context.settings)
        if definition.prefetch:
            rig.environments.prepare_in_background(wanted_of(request, definition.prefetch, run_context))
    try:
        request.config.hook.pytest_meshproof_stage_entered(rig=rig, stage=definition)
        yield running
    finally:
        run_images.save(rig.workloads.images, run_context.private, run_context.worker)
        if run_context.settings.keep and run_context.failed:
            rig.stage_objects.leave()
        else:
            with plainly():
                running.__exit__(None, None, None)
        run_context.running = None


@pytest.fixture(scope="module")
def case_runner(request: pytest.FixtureRequest, stage: RunningStage, run_context: RunContext) -> Iterator[CaseRunner]:
    """Proves the module's cases in parallel, step by step, beginning with those that take longest.

    After a crash of a worker the cases run one at a time, as tests request them, so that the crashing case can be
    identified.
    """
    here = proven_here(request) if run_context.enters_first(request.module.__name__) else []
    jobs = [
        CaseJob(proves.case, subjects_of(proves, run_context)[proves.case.id], budget_s=budget_of(proves, run_context))
        for proves in here
        if proves.case and not why_not(proves, run_context)
    ]
    with CaseRunner(stage, sorted(jobs, key=lambda job: -job.case.holds_s)) as made:
        run_context.case_runner = made
        yield made
        run_context.case_runner = None


@pytest.fixture
def prove(request: pytest.FixtureRequest, case_runner: CaseRunner, run_context: RunContext) -> Prove:
    """`prove(case)`: its evidence, as soon as it is complete; anything but a pass fails the test with the reason."""

    def proving(case: Case) -> Evidence:
        subject = subjects_of(proves_here(request, case.control), run_context)[case.id]
        with plainly():
            evidence = case_runner.evidence(CaseJob(case, subject))
        return attach(request, run_context, [evidence])[0]

    return proving


@pytest.fixture
def prove_table(request: pytest.FixtureRequest, case_runner: CaseRunner, run_context: RunContext) -> ProveTable:
    """`prove_table(table)`: evidence of every cell, proven in parallel; one failure for all that did not pass."""

    def proving(cells: table.Table) -> list[Evidence]:
        subjects = subjects_of(proves_here(request, cells.control), run_context)
        with plainly():
            evidence = table.prove_table(case_runner, cells, subjects)
        return attach(request, run_context, evidence)

    return proving


@pytest.fixture
def prove_refused(request: pytest.FixtureRequest, stage: RunningStage, run_context: RunContext) -> ProveRefused:
    """`prove_refused(refused)`: evidence that the API refuses a manifest, by dry run."""

    def proving(refused: RefusedManifest) -> Evidence:
        subject = subjects_of(proves_here(request, refused.control), run_context)[refused.id]
        budget_s, worker = run_context.settings.budget_s, run_context.worker
        with plainly():
            evidence = refused_proof.prove_refused(stage.rig, refused, subject, budget_s=budget_s, worker=worker)
        return attach(request, run_context, [evidence])[0]

    return proving


@pytest.fixture
def observe(request: pytest.FixtureRequest, mesh_lock: MeshLock, run_context: RunContext) -> Observe:
    """`observe(control, expected, problem_of, budget_s=…)` for state controls; see `clients.proof.steps.state`."""

    def observing(control: str, expected: str, problem_of: ProblemOf, *, budget_s: float | None = None) -> Evidence:
        proves = proves_here(request, control)
        [subject] = subjects_of(proves, run_context).values()
        evidence = proof.prove_state(
            run_context.running,
            replace(subject, expected=expected),
            problem_of,
            budget_s=budget_s or run_context.settings.budget_s,
            worker=run_context.worker,
        )
        return attach(request, run_context, [evidence])[0]

    return observing


@pytest.fixture
def picture(request: pytest.FixtureRequest, run_context: RunContext) -> pictures.Keep:
    """`picture(shot, title)`: what a browser shows becomes part of the test's evidence; see `pictures`."""
    proves = request.node.stash.get(PROVES, None)
    if proves is None:
        pytest.fail("a picture is evidence of a control, and this test proves none", pytrace=False)
    return partial(pictures.keep, request.node, run_context.folder, proves.planned.id)
