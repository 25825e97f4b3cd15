"""In the controlling process: evidence into the journal and onto the terminal, the reports at the end."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence
from clients.model.exit_code import ExitCode
from reports import known, write
from reports.formats import terminal
from reports.record import conformance
from reports.record.journal import read
from reports.record.model import EVIDENCE, Report, ReportError
from runner.config.folders import JOURNAL
from runner.session import early_end, record
from runner.session.fixtures import RUN_CONTEXT

PLUGIN = "meshproof-recorder"
"""Name of the `Recorder` among pytest's plugins."""


def exit_code(report: Report) -> int:
    """Of a run that ended by itself, by its gates: 0, 1 or 3; 2 where it conforms, but a known failure has expired.

    An entry that has expired is a mistake in the settings. The run goes on all the same and its reports say so: a night
    without any evidence would be worse.
    """
    code = report.judged.code
    return ExitCode.BAD_INPUT if code == ExitCode.OK and known.expired(report) else code


class Recorder:
    """Plugin of the controlling process: the part that has the results of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.context = config.stash[RUN_CONTEXT]
        self.problem = ""
        self._unexplained = 0
        self._progress: terminal.Progress | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Hide pytest's file names and percentages, which would come between the lines of the cases."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter and (self.context.plan or self._distributed):
            reporter.showfspath = False
            reporter._show_progress_info = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the evidence out of a report; for a test whose process died, make it here."""
        carried: list[tuple[str, Any]] = list(report.user_properties)
        evidence = [EVIDENCE.validate_python(value) for name, value in carried if name == record.PROPERTY]
        if str(report.when) not in {"setup", "call", "teardown"}:  # "???": xdist, in the name of a dead worker
            self.context.read_plan()
            entry = self.context.plan.get(report.nodeid)
            evidence = record.crashed(entry, report) if entry else []
        self._unexplained += report.failed and not evidence
        for one in evidence:
            try:
                new = self.context.note(report.nodeid, one)
            except MeshproofError as error:  # nothing that is proven from here on could be kept
                self._give_up(error)
                return
            if new:
                self._show(one)

    def _give_up(self, error: MeshproofError) -> None:
        """End the run with exit code 2: its report cannot be written. Fixtures clean up as after Ctrl-C."""
        if not self.context.unwritable:
            self.context.unwritable = str(error)
            early_end.end(self.config, str(error), ExitCode.BAD_INPUT)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Print no letter for a test whose evidence has its own line."""
        kept = getattr(report, "user_properties", ())  # a report of a failed collection has none
        if any(name == record.PROPERTY for name, _ in kept) and report.when != "teardown":
            outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            return outcome if report.when == "call" or report.skipped else "error", "", ""
        return None

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember what ended the run early (`pytest.exit` is reported here too; it is no interruption)."""
        if not isinstance(excinfo.value, pytest.exit.Exception) and not self.context.deadline:
            self.context.interrupted = str(excinfo.value) or "SIGINT"

    def end_before_any_case(self, by: str) -> str:
        """Leave the report of a run that ended while its target was brought up, before pytest's session began.

        Args:
            by: the signal that interrupted it, if no deadline did.

        Returns:
            what to add to the message: where the report is; empty where another process writes it.
        """
        self.context.interrupted = "" if self.context.deadline else by
        try:
            journal = self.context.journal  # begins the run: the first record
            self.problem = self.context.finish(ExitCode.UNKNOWN if self.context.deadline else ExitCode.INTERRUPTED)
            if self.context.reports_by_caller:
                return ""
            index = write.write_all(journal.path, self.context.folder, key=self.context.settings.signing_key)
        except MeshproofError as error:
            return f"; {error}"
        return f"; the report: {index}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Close the run: remove what is left, complete the journal, write the reports, set the exit code."""
        if self._progress:
            self._progress.finish()
        if not self.context.started:
            session.exitstatus = ExitCode.UNKNOWN if self.context.deadline else exitstatus
            return
        code = ExitCode.INTERRUPTED if self.context.interrupted else int(exitstatus)
        self.context.read_plan()
        try:
            journal = self.context.folder / JOURNAL
            if code in (ExitCode.OK, ExitCode.FAILED) or self.context.deadline:
                code = self._judged(conformance.build(read(journal), self.context.run_info()))
            self.problem = self.context.finish(code)
            if not self.context.reports_by_caller:
                write.write_all(journal, self.context.folder, key=self.context.settings.signing_key)
        except ReportError as error:
            code = ExitCode.BAD_INPUT
            if not self.context.unwritable:
                self.context.unwritable = self.problem = str(error)
        session.exitstatus = code

    def _judged(self, report: Report) -> int:
        """The exit code by the gates; a test that failed without evidence (it proves no control) fails the run."""
        code = exit_code(report)
        return ExitCode.FAILED if self._unexplained and code in (ExitCode.OK, ExitCode.UNKNOWN) else code

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the summary and the place of the reports; `meshproof run` prints them itself."""
        if self.problem:
            terminalreporter.write_line(f"meshproof: {self.problem}", yellow=True)
        if self.context.started and not (self.context.reports_by_caller or self.context.unwritable):
            report = conformance.build(read(self.context.folder / JOURNAL))
            console = Console(file=terminalreporter._tw._file, force_terminal=terminalreporter.hasmarkup or None)
            terminal.print_summary(console, report, self.context.folder / "index.html")

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
            planned = [name for entry in self.context.read_plan().values() for name in entry.ids]
            self._progress = terminal.Progress(console, planned)
        self._progress.case(evidence)
