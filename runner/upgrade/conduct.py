"""Takes an upgrade through its phases: hooks, moves, a look at every state, and the suites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from clients.hold import held as holding
from clients.hold.held import Held
from clients.kube.cluster import Cluster
from clients.model.errors import ClusterError, SettingsError
from runner.upgrade import hooks, moving, own_namespaces, proving, sides, stalled
from runner.upgrade.checking import Checking
from runner.upgrade.plan import NEW, OLD, PARTS, PHASES, MeshState, PhaseName, UpgradePhase
from runner.upgrade.proving import Proven
from runner.upgrade.proxies import Proxies
from runner.upgrade.record import Cell, Event, PhaseRecord, UpgradeRecord, UpgradeSide
from runner.upgrade.stalled import PhaseStoppedError
from runner.upgrade.verdict import lost_before, of_cells
from runner.upgrade.watching import Watch, totals

Say = Callable[[str], None]


@dataclass
class Upgrade:
    """One upgrade.

    Attributes:
        record: what has been found; saved in `folder` after every phase.
        hold: starts the held traffic on the old revision.
        suites: runs the suites on a revision, below a folder; returns the run's folder.
        hooks: phase → command.
        look_s: seconds for which every state is looked at.
        ask: waits for the user at the beginning of a phase without a hook; none does not wait.
        baseline: an earlier run in place of that of the phase `before`, by its absolute path.
        checking: makes the prechecks where the new revision was not there before, and looks for later changes.
        away: namespaces of the user that are on the new revision now.
    """

    cluster: Cluster
    folder: Path
    record: UpgradeRecord
    hold: Callable[[UpgradeSide], Held]
    suites: Callable[[UpgradeSide, Path], Path]
    say: Say
    hooks: Mapping[str, str] = field(default_factory=dict)
    hook_s: float = 600.0
    look_s: float = 10.0
    root: str = ""
    ask: Callable[[str, UpgradeSide, UpgradeSide], None] | None = None
    baseline: Path | None = None
    checking: Checking | None = None
    away: list[str] = field(default_factory=list)

    def run(self) -> UpgradeRecord:
        """Go through all phases that are not finished, or up to where pods do not start because of the mesh.

        The held traffic is removed however it ends.

        Raises:
            MeshproofError: a hook failed, a pod did not start, or the cluster does not answer.
        """
        left = [phase for phase in PHASES if phase.name not in self.record.finished]
        if not left:
            return self.record
        self.record = replace(self.record, stopped=())
        began, earlier = time.monotonic(), self.record
        self.away = earlier.away
        self.say("starting the held traffic")
        held = self.hold(self.record.old)
        try:
            watch, proxies = Watch(self.cluster, held), Proxies(self.cluster, held)
            state, cells = self._resumed(held, watch, left[0])
            for phase in left:
                done, cells = self._phase(held, watch, proxies, phase, state, cells), ()
                state = phase.states[-1]
                requests, gap_s = totals(watch.seen)
                self.record = replace(
                    self.record,
                    phases=(*self.record.phases, done),
                    requests=earlier.requests + requests,
                    longest_gap_s=max(earlier.longest_gap_s, gap_s),
                    wall_s=earlier.wall_s + time.monotonic() - began,
                )
                self.record.save(self.folder)
        except PhaseStoppedError as stopped:
            self.record = replace(self.record, stopped=tuple(stopped.events))
            self.record.save(self.folder)
        finally:
            self.say("removing the held traffic")
            holding.insist(lambda: holding.stop(self.cluster, held))
        return self.record

    def _resumed(self, held: Held, watch: Watch, first: UpgradePhase) -> tuple[MeshState, tuple[Cell, ...]]:
        """Bring the held traffic to where the phase before has left it; returns what happened on the way."""
        at = PHASES.index(first)
        due, state = PHASES[at - 1].states[-1] if at else MeshState(), MeshState()
        cells: tuple[Cell, ...] = ()
        for part in PARTS:
            if due.of(part) != OLD:
                state = replace(state, **{part: NEW})
                with self._moving(first, held.namespaces[PARTS[part]], self.record.new):
                    moving.move(self.cluster, held, part, self.record.new)
                cells += watch.cells(state, moving=True)
        return state, cells

    def _phase(
        self,
        held: Held,
        watch: Watch,
        proxies: Proxies,
        phase: UpgradePhase,
        state: MeshState,
        before: tuple[Cell, ...] = (),
    ) -> PhaseRecord:
        started = time.time()
        self.say(f"phase {phase.name}: {phase.meaning}")
        holding.mark(self.cluster, held, phase.name)
        if command := self.hooks.get(phase.name):
            names = {"MESHPROOF_FROM": self.record.old.label, "MESHPROOF_TO": self.record.new.label}
            hooks.run(phase.name, command, self.hook_s, names)
        elif self.ask:
            self.ask(phase.name, self.record.old, self.record.new)
        events = self._sides(phase)
        if self.checking and phase.name != PhaseName.BEFORE:
            events += self.checking.since(self.record, phase.name)
        self._own_namespaces(held, phase)
        cells = list(before)
        for wanted in phase.states:
            proves = bool(phase.suites) and wanted == phase.states[-1]  # the suites take longer than a look
            cells += self._state(held, watch, phase, state, wanted, 0.0 if proves else self.look_s)
            events += self._strays(held, phase, wanted)
            state = wanted
        if phase.name in (PhaseName.MOVED, PhaseName.ROLLED_BACK):
            due = self.record.new if phase.name == PhaseName.MOVED else self.record.old
            events += own_namespaces.strays(phase.name, self.cluster, self.record.namespaces, due)
        if phase.name == PhaseName.MOVED and (self.ask or PhaseName.MOVED in self.hooks):
            events += own_namespaces.forgotten(phase.name, self.cluster, self.record.namespaces, self.record.old)
        events += proxies.events(phase.name)
        proven = Proven()
        if phase.suites:
            began = time.monotonic()
            proven = self._suites(phase)
            events += proven.events
            time.sleep(max(0.0, self.look_s - (time.monotonic() - began)))
            cells += watch.cells(state, moving=False)
        events += [*of_cells(phase.name, cells, lost_before(self.record)), *watch.holes(phase.name)]
        return PhaseRecord(
            phase.name, started, time.time(), tuple(cells), tuple(events), proven.run, cases=proven.cases
        )

    def _sides(self, phase: UpgradePhase) -> list[Event]:
        """Whether both revisions are what they were; from the phase `canary` on the new one must be there.

        Raises:
            ClusterError: it is not.
        """
        events = []
        for name, one in ((OLD, self.record.old), (NEW, self.record.new)):
            if name == NEW and phase.name == PhaseName.BEFORE:
                continue
            try:
                now = sides.side(self.cluster, one.label or one.revision, self.root)
            except SettingsError as error:
                hint = "install it, for instance by --hook canary=COMMAND, and go on by --resume"
                raise ClusterError(f"phase {phase.name}: {error.message}", hint) from None
            if name == NEW and not one.revision:  # it was installed by the hook
                sides.check_sides(self.record.old, now)
                self.record = replace(self.record, new=now)
                self.record = self.checking.checked(self.record) if self.checking else self.record
            elif now.revision != one.revision:
                text = f"the tag leads to {now.revision} and should lead to {one.revision}"
                events.append(Event(phase.name, "revision", one.label, text))
            elif now.version != one.version and now.version and one.version:
                text = f"its control plane is of {now.version} now, and was of {one.version} at the start"
                events.append(Event(phase.name, "revision", one.label or one.revision, text))
        return events

    def _state(
        self, held: Held, watch: Watch, phase: UpgradePhase, was: MeshState, wanted: MeshState, look_s: float
    ) -> tuple[Cell, ...]:
        """Move what is to move, and look at the state for so long; not at all for zero seconds."""
        cells: tuple[Cell, ...] = ()
        parts = [part for part in PARTS if was.of(part) != wanted.of(part)]
        for part in parts:
            self.say(f"  moving the {part} to the {wanted.of(part)} revision")
            holding.mark(self.cluster, held, f"{phase.name}: {part} to {wanted.of(part)}")
            side_of_part = self._side(wanted.of(part))
            with self._moving(phase, held.namespaces[PARTS[part]], side_of_part):
                moving.move(self.cluster, held, part, side_of_part)
        if parts:
            cells = watch.cells(wanted, moving=True)
        holding.mark(self.cluster, held, f"{phase.name}: {wanted}")
        if not look_s:
            return cells
        time.sleep(look_s)
        return (*cells, *watch.cells(wanted, moving=False))

    def _own_namespaces(self, held: Held, phase: UpgradePhase) -> None:
        """Move the user's namespaces to the new revision, or put them back, one at a time."""
        if phase.name not in (PhaseName.MOVED, PhaseName.ROLLED_BACK):
            return
        for one in self.record.namespaces:
            where = NEW if phase.name == PhaseName.MOVED else OLD
            self.say(f"  moving the namespace {one.name} to the {where} revision")
            holding.mark(self.cluster, held, f"{phase.name}: namespace {one.name} to {where}")
            self.away = [*(name for name in self.away if name != one.name), one.name]
            with self._moving(phase, one.name, self._side(where)):
                if where == NEW:
                    own_namespaces.move(self.cluster, one, self.record.new)
                else:
                    own_namespaces.put_back(self.cluster, one)
                    self.away.remove(one.name)

    @contextmanager
    def _moving(self, phase: UpgradePhase, namespace: str, to: UpgradeSide) -> Iterator[None]:
        """What keeps pods from their start speaks against the upgrade, if it is the mesh."""
        try:
            yield
        except ClusterError:
            if events := stalled.events(phase.name, self.cluster, namespace, to):
                raise PhaseStoppedError(events) from None
            raise

    def _strays(self, held: Held, phase: UpgradePhase, state: MeshState) -> list[Event]:
        namespaces = {part: [held.namespaces[name]] for part, name in PARTS.items()}
        due = {OLD: self.record.old, NEW: self.record.new}
        return moving.strays(phase.name, self.cluster, namespaces, state, due)

    def _suites(self, phase: UpgradePhase) -> Proven:
        first = next((one for one in self.record.phases if one.name == PhaseName.BEFORE), None)
        due: UpgradeSide | None = None
        if phase.name == PhaseName.BEFORE and self.baseline:
            run = self.baseline
        else:
            self.say(f"  running the suites on the {phase.suites} revision")
            due = self._side(phase.suites)
            run = self.suites(due, self.folder / phase.name)
        return proving.judge(phase.name, run, self.folder / first.run if first else None, self.folder, due)

    def _side(self, name: str) -> UpgradeSide:
        return self.record.old if name == OLD else self.record.new
