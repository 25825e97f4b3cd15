"""One per pytest process: the run's folders, the target, and in the controlling process the journal and the reports."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from clients.identity.external_issuer import ExternalIssuer
from clients.model.errors import ClusterError, MeshproofError
from clients.model.evidence import Evidence
from clients.proof.case_runner import CaseRunner
from clients.proof.stage.running_stage import RunningStage
from reports.gates import Gates
from reports.record.journal import Journal
from reports.record.model import ReportError, RunInfo
from runner.config import catalogue, folders
from runner.config.gate_settings import Tier
from runner.config.settings import Settings
from runner.session import planned, provenance, run_facts, run_images
from runner.session.handed import Handed
from runner.session.lease_guard import LeaseGuard
from runner.session.mesh_lock import MeshLock
from runner.session.needs.demands import Demands
from runner.session.needs.excuses import Excuses
from runner.session.planning import collect_plan, whole_run
from runner.target import identity, known, targets
from runner.target.descriptor import TargetDescriptor
from runner.target.held_target import HeldTarget, sweep_worker


class RunContext:
    """State of a run in this process.

    Attributes:
        plan: by node id, the selected tests that prove controls; filled after collection (in the controlling process
            of a distributed run, when a worker has written it).
        running: the stage being entered, proven or left.
        case_runner: proves the cases of the stage, from the first of them on.
        failed: how many phases of tests failed in this process.
        excuses: tells known failures from others.
        deadline: the one that ended the run, as it was set; empty as long as none did.
        began: when the run began, in ISO 8601.
        unwritable: why the report cannot be written, in the words that the user gets; empty as long as it can.
    """

    def __init__(self, config: pytest.Config, settings: Settings, selected: frozenset[str]) -> None:
        self.config = config
        self.settings = settings
        self.selected = selected
        self.catalogue = catalogue.load()
        self.plan: dict[str, planned.PlannedTest] = {}
        self.running: RunningStage | None = None
        self.case_runner: CaseRunner | None = None
        self.interrupted = self.deadline = self.unwritable = ""
        self.lease_guard = LeaseGuard(self)
        self.gates = Gates() if hasattr(config, "workerinput") else run_facts.gates(settings)
        self.failed = 0
        handed = Handed.of(config)
        self.is_worker = hasattr(config, "workerinput")
        self.worker = str(getattr(config, "workerinput", {}).get("workerid", "main"))
        self._folder = handed.folder if handed else None
        self._private = handed.private if handed else None
        self._descriptor = handed.descriptor if handed else None
        self._held: HeldTarget | None = None
        self._journal: Journal | None = None
        self._seen: set[tuple[str, str]] = set()
        self.began = handed.began if handed else folders.now()
        self.excuses = Excuses(known.entries(targets.of(settings)), self.began)
        if (option := config.getoption("meshproof_run")) and not handed:
            self._folder = Path(option)
        self.reports_by_caller = bool(option)

    # -- what every process knows

    @property
    def folder(self) -> Path:
        """The published folder of the run; made at first use."""
        if self._folder is None:
            self._folder = folders.make_run_folder(self.settings.out)
        return self._folder

    @property
    def run(self) -> str:
        """Id of the run."""
        return self.folder.name

    @property
    def private(self) -> Path:
        """The private folder of the run; made at first use."""
        self._private = self._private or folders.make_private_folder()
        return self._private

    @property
    def started(self) -> bool:
        """Whether this process has begun a run at all (a session of unit tests has not)."""
        return self._journal is not None or self._held is not None

    def descriptor(self) -> TargetDescriptor:
        """The target; the controlling process brings it up at first use.

        Raises:
            MeshproofError: it cannot be reached or started, or this is a worker that was started without one.
        """
        if self._descriptor is None:
            if self.is_worker:
                raise ClusterError("this test process was given no target", "tests that need one belong under suites/")
            try:
                self._descriptor = self._stand_in() or self._bring_up()
                self.journal.target(self._descriptor.target)
            except ReportError as error:
                self.unwritable = str(error)
                raise
        return self._descriptor

    @cached_property
    def real(self) -> dict[str, ExternalIssuer]:
        """Real issuers of tokens, by profile; each process fetches its own tokens."""
        return identity.real_issuers(self.settings)

    def excused(self, evidence: Evidence) -> Evidence:
        """The evidence, with the entry of the known failures that excuses it, where there is one."""
        return self.excuses.of(evidence, self.descriptor().target.mesh.version)

    def mesh_lock(self) -> MeshLock:
        """The lock between the processes of this run."""
        return MeshLock(self.private, self.worker, self._sweep_worker)

    def enters_first(self, module: str) -> bool:
        """Whether this is the first process of the run to begin this module."""
        try:
            (self.private / f"entered-{module}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def touch(self, objects: list[dict[str, Any]]) -> None:
        """Let other plugins inspect and change objects before they are applied."""
        stage = self.running.stage if self.running else None
        self.config.hook.pytest_meshproof_objects(objects=objects, stage=stage)

    # -- the controlling process

    @property
    def journal(self) -> Journal:
        """The journal of the run; its first record is the run itself."""
        if self._journal is None:
            self._journal = Journal(self.folder / folders.JOURNAL)
            self._journal.run(self.run_info())
        return self._journal

    def hand_over(self, *, with_target: bool) -> str:
        """What a worker gets at its start."""
        descriptor = self.descriptor() if with_target else None
        folder = self.folder if with_target else None  # without a target nothing is proven
        return Handed(folder, self.private, self.settings, self.began, descriptor).to_json()

    def write_plan(self) -> None:
        """In a worker, write the plan for the controlling process, which does not collect."""
        planned.save(self.plan, self.private, self.worker)

    def read_plan(self) -> dict[str, planned.PlannedTest]:
        """The plan as far as it is known: read from what the workers wrote, once they have."""
        self.plan = self.plan or planned.load(self.private)
        return self.plan

    def note(self, nodeid: str, evidence: Evidence) -> bool:
        """Write evidence to the journal, once for each test and case. Returns whether it was new."""
        if (nodeid, evidence.id) in self._seen:
            return False
        self._seen.add((nodeid, evidence.id))
        self.journal.case(evidence)
        return True

    def run_info(self) -> RunInfo:
        """What is known of the run so far."""
        whole = self.settings.tier is Tier.FULL and whole_run.is_whole(self.config)
        unproven = whole_run.unproven(self.plan.values(), self.catalogue, self.selected, whole=whole)
        return RunInfo(
            id=self.run,
            started=self.began,
            command=shlex.join(["pytest", *self.config.invocation_params.args]),
            planned=run_facts.planned(self.plan.values(), self.catalogue) + tuple(sorted(unproven)),
            interrupted=self.interrupted,
            environment=run_facts.environment(),
            known_failures=self.excuses.entries,
            gates=self.gates,
            deadline=self.deadline if run_facts.unrecorded(self.plan.values(), self._seen) else "",
        )

    def finish(self, exit_code: int) -> str:
        """Remove what is left, and close the journal; returns what went wrong with that, or an empty string.

        Raises:
            ReportError: the journal cannot be written.
        """
        problem = ""
        if self._held:
            try:
                left = [] if self.settings.keep else self._held.sweep()
                problem = f"left behind, and removed at the end: {', '.join(map(str, left))}" if left else ""
            except MeshproofError as error:
                problem = f"the clean-up failed: {error}; run `meshproof cleanup`"
            self._held.release()
        self.read_plan()
        if self.unwritable:
            return problem
        if self._descriptor:
            target = self._descriptor.target
            images = run_images.by_digest(target.images, run_images.load(self.private))
            self.journal.target(replace(target, images=images))
        ended = replace(self.run_info(), ended=folders.now(), exit=exit_code)
        self.journal.about(provenance.about(self.settings, self.catalogue))
        self.journal.run(ended)
        return problem

    def close(self) -> None:
        """Remove the private folder. Only its owner does."""
        if self._private and not self.is_worker:
            folders.remove(self._private)

    # -- how

    def _stand_in(self) -> TargetDescriptor | None:
        given = self.config.hook.pytest_meshproof_target(config=self.config)
        return given if isinstance(given, TargetDescriptor) else None

    def _bring_up(self) -> TargetDescriptor:
        say = run_facts.sayer(self.config)
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        # in a test's set-up pytest captures the output
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            of, lost = Demands(self._selected), self.lease_guard.lost
            self._held = HeldTarget.bring_up(
                self.settings, self.run, self.private, say, browsed=of.browses, entered=of.enters, on_lost=lost
            )
        self._held.descriptor.save(self.folder / folders.TARGET)
        return self._held.descriptor

    def _selected(self) -> list[planned.PlannedTest]:
        return list(self.plan.values()) or collect_plan.as_asked(self.config, self.settings)

    def _sweep_worker(self, worker: str) -> None:
        """Undo what another process changed that died while it held the mesh lock alone."""
        sweep_worker(self.descriptor(), self.run, worker)
