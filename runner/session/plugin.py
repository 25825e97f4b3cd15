"""The pytest plugin: options, selection, what xdist's workers get, and the transport of evidence to the journal."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence
from clients.model.exit_code import ExitCode
from clients.model.refused import RefusedManifest
from clients.proof.table import Table
from reports.record.model import EVIDENCE
from runner.config import catalogue, known_failures, settings
from runner.interrupts import interrupt_on_sigterm
from runner.session import bad_input, deadline, early_end, hooks, options, pictures, record
from runner.session.attach import MADE
from runner.session.fixtures import (  # noqa: F401 - fixtures are found by their names in a plugin
    RUN_CONTEXT,
    case_runner,
    cluster,
    descriptor,
    leftovers,
    mesh_lock,
    observe,
    picture,
    prove,
    prove_refused,
    prove_table,
    rig,
    run_context,
    stage,
)
from runner.session.handed import handed_settings
from runner.session.needs.excuses import all_known
from runner.session.planned import PLAN, PROVES
from runner.session.planning import plan as planning
from runner.session.planning import selection, unproven, whole_run
from runner.session.proven import why_not
from runner.session.run_context import RunContext
from runner.target import targets


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options."""
    options.add(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register our own hooks."""
    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Validate settings and selection before anything else; a mistake ends the run here, with exit code 2."""
    try:
        wanted = handed_settings(config) or settings.load(options.given(config))
        targets.of(wanted)  # raises for settings that do not fit the target
        selected = catalogue.load().select(config.getoption("control"))
        selection.controls(config, wanted, catalogue.load())  # raises for a tag that no control has
        context = config.stash[RUN_CONTEXT] = RunContext(config, wanted, selected)
    except MeshproofError as error:
        early_end.end(config, str(error), ExitCode.BAD_INPUT, begun=False)
    if wanted.keep:
        config.option.maxfail = 1
    arguments = [str(argument) for argument in config.invocation_params.args]
    by_user = any(argument.startswith("--dist") for argument in arguments)
    if getattr(config.option, "dist", "no") == "load" and not by_user:
        config.option.dist = "loadfile"  # a module is a stage, which one process enters once
    if threading.current_thread() is threading.main_thread():
        config.add_cleanup(interrupt_on_sigterm())  # fixtures clean up, reports are written
    if wanted.deadline and not config.option.collectonly:
        config.pluginmanager.register(deadline.Deadline(context), "meshproof-deadline")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the private folder."""
    if RUN_CONTEXT in config.stash:
        config.stash[RUN_CONTEXT].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the run to an xdist worker; the target is brought up before the first one, where suites are to run."""
    from runner.session import workers  # imports the writers of reports, which no worker needs

    workers.hand_over(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """End the run where an xdist worker ended by bad input."""
    bad_input.end_with(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Assign whole modules to each process; a test that killed its process is not repeated."""
    if config.getoption("dist") != "loadfile":
        return None
    from runner.session.planning.schedule import StageScheduling

    return StageScheduling(config, log, config.stash[RUN_CONTEXT].read_plan)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module whose cases no test takes cannot be collected: nothing else would miss them."""
    report = yield
    if isinstance(collector, pytest.Module) and report.passed and (wrong := unproven.unused(collector, report.result)):
        report.outcome, report.longrepr = "failed", f"E   {collector.nodeid}: {wrong}"
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test by its module's `CASES` (argument `case`), `REFUSED` (`refused`) or `TABLES` (`table`)."""
    cases: Sequence[Case] = getattr(metafunc.module, "CASES", ())
    by_hand = any("case" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "case" in metafunc.fixturenames and cases and not by_hand:
        metafunc.parametrize("case", cases, ids=[case.id for case in cases])
    refused: Sequence[RefusedManifest] = getattr(metafunc.module, "REFUSED", ())
    if "refused" in metafunc.fixturenames and refused:
        metafunc.parametrize("refused", refused, ids=[one.id for one in refused])
    tables: Sequence[Table] = getattr(metafunc.module, "TABLES", ())
    if "table" in metafunc.fixturenames and tables:
        metafunc.parametrize("table", tables, ids=[table.control for table in tables])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select by control, shuffle, and make the plan."""
    context = config.stash[RUN_CONTEXT]
    if context.settings.shuffle is not None:
        items[:] = selection.shuffled(items, context.settings.shuffle)
    try:
        selection.keep_controls(items, config, context.settings, context.catalogue)
        context.plan = planning.plan(items, context.catalogue)
        selection.keep_failed(items, config)
        context.plan = {item.nodeid: context.plan[item.nodeid] for item in items if item.nodeid in context.plan}
        if whole_run.takes_whole_controls(config):
            cases = (case for entry in context.plan.values() for case in entry.ids)
            known_failures.check_cases(context.excuses.entries, cases)
    except MeshproofError as error:
        bad_input.end(config, str(error))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the plan: for the controlling process, to the journal, or to the file that an option names.

    First, because xdist's own hook then makes the controlling process assign tests, which needs the plan.
    """
    context = session.config.stash[RUN_CONTEXT]
    target = session.config.getoption("meshproof_plan")
    if target:
        Path(target).write_bytes(PLAN.dump_json(context.plan))
    if session.config.option.collectonly or not context.plan:
        return
    if context.is_worker:
        context.write_plan()
        return
    try:
        context.journal.run(context.run_info())
    except MeshproofError as error:
        context.unwritable = str(error)
        early_end.end(session.config, str(error), ExitCode.BAD_INPUT)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that the target cannot prove before its stage is entered; with --enforce it is a failure."""
    context = item.config.stash[RUN_CONTEXT]
    proves = item.stash.get(PROVES, None)
    if proves is None:
        return
    try:
        why = why_not(proves, context)
    except MeshproofError as error:
        # Without a target no case can be proven: end the whole run, instead of one error for each test.
        bad_input.end(item.config, str(error))
    if why:
        record.skip(why, context.settings)
    if context.case_runner and not proves.cases and not proves.independent:
        context.case_runner.wait()  # this test's fixtures may change the state of cases that are still being proven


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the evidence of each phase on its report, which travels from the test process to the controlling one."""
    report = yield
    context = item.config.stash[RUN_CONTEXT]
    proves = item.stash.get(PROVES, None)
    if proves is not None:
        error = call.excinfo.value if call.excinfo else None
        made = item.stash.get(MADE, [])
        evidence = record.of_phase(proves.planned, report, error, made, context.worker, context.excused)
        if report.when == "call":
            evidence = pictures.added(item, evidence)
        report.user_properties = [*report.user_properties, *((record.PROPERTY, plain(e)) for e in evidence)]
        if report.passed and any(e.verdict in record.BAD for e in evidence):
            report.outcome = "failed"
            report.longrepr = evidence[0].reason
        if report.failed and all_known(evidence, record.BAD):
            report.outcome = "skipped"
            report.wasxfail = "known failure"  # what pytest's own xfail sets: it fails neither the run nor --maxfail
        context.failed += bool(report.failed)
    return report


def plain(evidence: Evidence) -> Any:
    """As JSON values, to travel from a test process to the controlling one."""
    return EVIDENCE.dump_python(evidence, mode="json")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let the controlling process record evidence and write reports."""
    context = session.config.stash[RUN_CONTEXT]
    if not context.is_worker:
        from runner.session.recorder import PLUGIN, Recorder  # imports writers of reports, which no worker needs

        session.config.pluginmanager.register(Recorder(session.config), PLUGIN)
        session.config.pluginmanager.register(context.lease_guard, "meshproof-lease-guard")
