"""In the controlling process: evidence into the journal and onto the terminal, the reports at the end."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from clients.model.evidence import Evidence
from reports import conformance, terminal, write
from reports.journal import read
from reports.model import EVIDENCE
from runner.config.folders import JOURNAL
from runner.session import record
from runner.session.fixtures import RUN_CONTEXT

INTERRUPTED = 130


class Recorder:
    """Plugin of the controlling process; the part of the plugin that knows what came of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.leader = config.stash[RUN_CONTEXT]
        self.problem = ""
        self._progress: terminal.Progress | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Where cases have lines of their own, pytest's file names and percentages would stand between them."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and (self.leader.plan or self._distributed):
            reporter.showfspath = False
            reporter._show_progress_info = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in the evidence that a report carries; a process that died gets its test's evidence made here."""
        carried: list[tuple[str, Any]] = list(report.user_properties)
        evidence = [EVIDENCE.validate_python(value) for name, value in carried if name == record.PROPERTY]
        if str(report.when) not in {"setup", "call", "teardown"}:  # "???": xdist, in the name of a dead worker
            self.leader.read_plan()
            entry = self.leader.plan.get(report.nodeid)
            evidence = record.crashed(entry, report) if entry else []
        for one in evidence:
            if self.leader.note(report.nodeid, one):
                self._show(one)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """A test whose evidence has a line of its own needs no letter."""
        kept = getattr(report, "user_properties", ())  # a report of a failed collection has none
        if any(name == record.PROPERTY for name, _ in kept) and report.when != "teardown":
            return report.outcome if report.when == "call" or report.skipped else "error", "", ""
        return None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember what ended the run early (`pytest.exit` comes by here too; it is no interruption)."""
        if not isinstance(excinfo.value, pytest.exit.Exception):
            self.leader.interrupted = str(excinfo.value) or "SIGINT"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Close the run: nothing left behind, journal complete, reports written, exit code as promised."""
        if self._progress:
            self._progress.finish()
        if not self.leader.started:
            return
        code = INTERRUPTED if self.leader.interrupted else int(exitstatus)
        self.leader.read_plan()
        self.problem = self.leader.finish(code)
        journal = self.leader.folder / JOURNAL
        if code == pytest.ExitCode.OK and not conformance.build(read(journal)).ok:
            code = pytest.ExitCode.TESTS_FAILED
        session.exitstatus = code
        if not self.leader.reports_by_caller:
            write.write_all(journal, self.leader.folder)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Where the reports are; the command line prints this itself."""
        if self.problem:
            terminalreporter.write_line(f"meshproof: {self.problem}", yellow=True)
        if self.leader.started and not self.leader.reports_by_caller:
            report = conformance.build(read(self.leader.folder / JOURNAL))
            console = Console(file=terminalreporter._tw._file, force_terminal=terminalreporter.hasmarkup or None)
            terminal.print_summary(console, report, self.leader.folder / "index.html")

    @property
    def _distributed(self) -> bool:
        """Whether other processes run the tests, so that this one has not collected."""
        return getattr(self.config.option, "dist", "no") != "no"

    def _show(self, evidence: Evidence) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if not reporter or self.config.get_verbosity() < 0:
            return
        if self._progress is None:
            reporter.ensure_newline()
            console = Console(file=reporter._tw._file, force_terminal=reporter.hasmarkup or None)
            planned = [name for entry in self.leader.read_plan().values() for name in entry.ids]
            self._progress = terminal.Progress(console, planned)
        self._progress.case(evidence)
