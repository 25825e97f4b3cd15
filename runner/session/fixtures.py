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
from clients.proof.case_runner import Crew, Job
from clients.proof.running_stage import RunningStage
from clients.proof.world import World
from reports.terminal import explain
from runner.config import folders
from runner.session import pictures, record
from runner.session.mesh_lock import Turn
from runner.session.run_context import Conductor
from runner.session.selection import Planned, case_of, cases_of
from runner.target import assemble, identity, needs
from runner.target.descriptor import Handover
from runner.target.held_target import connect

CONDUCTOR = pytest.StashKey[Conductor]()
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
def conductor(pytestconfig: pytest.Config) -> Conductor:
    """State of the run in this process."""
    return pytestconfig.stash[CONDUCTOR]


@pytest.fixture(scope="session")
def handover(conductor: Conductor) -> Handover:
    """The target as the controlling process found it."""
    with plainly():
        return conductor.handover()


@pytest.fixture(scope="session")
def cluster(handover: Handover) -> Cluster:
    """The connection of this process to the target."""
    with plainly():
        return connect(handover)


@pytest.fixture(scope="session")
def world(cluster: Cluster, handover: Handover, conductor: Conductor) -> Iterator[World]:
    """Cluster, overlay, tokens and probe sessions of this process; its grounds are deleted at the end."""
    with plainly():
        run, worker, touch = conductor.run, conductor.worker, conductor.touch
        made = assemble.world(cluster, handover, conductor.settings, run, worker, touch, conductor.real)
    yield made
    with plainly():
        made.close(keep=conductor.settings.keep and bool(conductor.failed))


@pytest.fixture(scope="module")
def turn(request: pytest.FixtureRequest, conductor: Conductor) -> Iterator[Turn]:
    """Holds the module's turn: alone when anything in it changes the whole mesh, beside others otherwise."""
    lock = conductor.turn()
    with lock.exclusive() if any(entry.alone for entry in entries(request, conductor)) else lock.shared():
        yield lock


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, turn: Turn, world: World, conductor: Conductor) -> Iterator[RunningStage]:
    """The module's `STAGE`, entered for its selected cases, left and put back after the last of them."""
    definition = getattr(request.module, "STAGE", None)
    if not isinstance(definition, Stage):
        pytest.fail(f"{request.module.__name__} defines no STAGE", pytrace=False)
    wanted = {entry.nodeid for entry in entries(request, conductor) if not why_not(entry, conductor)}
    cases = [case for item in request.session.items if item.nodeid in wanted for case in cases_of(item)]
    conductor.running = running = RunningStage(world, definition, cases)
    with plainly():
        world.settle_on(definition.ground)
        running.__enter__()
        if definition.ahead:
            world.begin(wanted_of(definition.ahead, conductor))
    try:
        request.config.hook.pytest_meshproof_stage_entered(world=world, stage=definition)
        yield running
    finally:
        if conductor.settings.keep and conductor.failed:
            world.standing.leave()
        else:
            with plainly():
                running.__exit__(None, None, None)
        conductor.running = None


@pytest.fixture(scope="module")
def crew(request: pytest.FixtureRequest, stage: RunningStage, conductor: Conductor) -> Iterator[Crew]:
    """Proves the module's cases side by side, step by step, those that take longest from the beginning.

    One by one, as they are asked for, where a process died on them: which of them killed it is known then.
    """
    jobs: list[Job] = []
    if not conductor.enters_first(request.module.__name__):
        with Crew(stage, jobs) as made:
            yield made
        return
    for item in request.session.items:
        entry, case = conductor.plan.get(item.nodeid), case_of(item)
        here = getattr(item, "module", None) is request.module
        if entry and case and here and not why_not(entry, conductor):
            jobs.append(Job(case, facts_of(entry, conductor)))
    with Crew(stage, sorted(jobs, key=lambda job: -job.case.holds_s)) as made:
        conductor.crew = made
        yield made
        conductor.crew = None


@pytest.fixture
def prove(request: pytest.FixtureRequest, crew: Crew, conductor: Conductor) -> Prove:
    """`prove(case)`: converge, prove, keep the evidence; anything but a pass fails the test and says why."""

    def proving(case: Case) -> Evidence:
        facts = facts_of(planned_here(request, conductor, case.control), conductor)
        with plainly():
            evidence = crew.evidence(Job(case, facts))
        return settle(request, conductor, evidence)

    return proving


@pytest.fixture
def prove_table(request: pytest.FixtureRequest, stage: RunningStage, conductor: Conductor) -> ProveTable:
    """`prove_table(table)`: every cell, side by side; evidence of each, and one failure for all that did not pass."""

    def proving(cells: table.Table) -> list[Evidence]:
        if conductor.crew:
            conductor.crew.wait()  # the table may be of another step
        facts = facts_of(planned_here(request, conductor, cells.control), conductor)
        with plainly():
            evidence = table.prove(stage, cells, facts)
        return settle_all(request, conductor, evidence)

    return proving


def facts_of(entry: Planned, conductor: Conductor) -> verify.Facts:
    """What the catalogue and this process know of a test's cases."""
    return verify.Facts(
        title=entry.title,
        polarity=entry.polarity,
        twin=entry.twin,
        suite=entry.suite,
        worker=conductor.worker,
        variant_of_target=variant(entry, conductor),
    )


@pytest.fixture
def observe(request: pytest.FixtureRequest, turn: Turn, conductor: Conductor) -> Observe:
    """`observe(control, expected, problem_of, budget_s=…)` for state controls; see `clients.proof.observe`."""

    def observing_(
        control: str, expected: str, problem_of: observing.ProblemOf, *, budget_s: float | None = None
    ) -> Evidence:
        entry = planned_here(request, conductor, control)
        blank = record.bare(replace(entry, expected=expected), Verdict.INCONCLUSIVE, "", conductor.worker)
        blank = replace(blank, variant_of_target=variant(entry, conductor))
        running = conductor.running
        if running and (evidence := verify.unsettled(running, blank)):
            return settle(request, conductor, evidence)
        budget = budget_s or conductor.settings.budget_s
        return settle(request, conductor, observing.observe(blank, problem_of, budget_s=budget))

    return observing_


@pytest.fixture
def picture(request: pytest.FixtureRequest, conductor: Conductor) -> pictures.Keep:
    """`picture(shot, title)`: what a person sees becomes part of the test's evidence; see `runner.session.pictures`."""
    entry = conductor.plan.get(request.node.nodeid)
    if entry is None:
        pytest.fail("a picture is evidence of a control, and this test proves none", pytrace=False)
    return partial(pictures.keep, request.node, conductor.folder, entry.id)


def settle(request: pytest.FixtureRequest, conductor: Conductor, evidence: Evidence) -> Evidence:
    """Keep the evidence on the test, with diagnostics when it is no pass; fail the test then."""
    return settle_all(request, conductor, [evidence])[0]


def settle_all(request: pytest.FixtureRequest, conductor: Conductor, made: list[Evidence]) -> list[Evidence]:
    """The same for all that one test made."""
    where = diagnose(request, conductor) if any(one.verdict in record.BAD for one in made) else ""
    made = [replace(one, diagnostics=where) if one.verdict in record.BAD else one for one in made]
    request.node.stash.setdefault(MADE, []).extend(made)
    if wrong := [one for one in made if one.verdict is not Verdict.PASS]:
        conductor.failed += 1  # now, not at the report: fixtures are told before that
        pytest.fail("\n".join(map(explain, wrong)), pytrace=False)
    return made


def diagnose(request: pytest.FixtureRequest, conductor: Conductor) -> str:
    """Gather diagnostics before anything is put back, once a stage; returns where, relative to the run's folder."""
    if conductor.running is None:
        return ""
    name = f"{folders.DIAGNOSTICS}/{conductor.running.stage.name}-{conductor.worker}"
    if not (conductor.folder / name).exists():
        diagnostics.collect(request.getfixturevalue("world"), conductor.running.stage, conductor.folder / name)
    return name


def planned_here(request: pytest.FixtureRequest, conductor: Conductor, control: str) -> Planned:
    """The plan's entry of the running test, which must be for this control."""
    entry = conductor.plan.get(request.node.nodeid)
    if entry is None or entry.control != control:
        pytest.fail(
            f"this test is not marked as proving {control}: parametrize `case`, or mark it `control`", pytrace=False
        )
    return entry


def entries(request: pytest.FixtureRequest, conductor: Conductor) -> list[Planned]:
    """The plan's entries of the running module."""
    names = {item.nodeid for item in request.session.items if getattr(item, "module", None) is request.module}
    return [entry for entry in conductor.plan.values() if entry.nodeid in names]


def wanted_of(ground: tuple[str, ...], conductor: Conductor) -> list[str]:
    """Those manifests of a ground that something stands on that is going to run."""
    wanted = {path for entry in conductor.plan.values() if not why_not(entry, conductor) for path in entry.ground}
    return [path for path in ground if path in wanted]


def why_not(entry: Planned, conductor: Conductor) -> str:
    """Why the target cannot prove this entry's control; empty when it can."""
    control = conductor.catalogue.control(entry.control)
    meaning = conductor.catalogue.capabilities
    lacking = needs.reason_to_skip(control, entry.needs, conductor.handover(), conductor.settings, meaning)
    return lacking or identity.why_not(entry.tokens, conductor.real)


def variant(entry: Planned, conductor: Conductor) -> str:
    """`hermetic` where a substitute proves the control."""
    return needs.variant(conductor.catalogue.control(entry.control), conductor.handover())
