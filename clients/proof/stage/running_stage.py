"""The run of a stage: its change is made, awaited, and put back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from clients.apply.item import Item
from clients.apply.open_mesh import MANIFEST as OPEN_MESH
from clients.mesh import istiod
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.case import Case
from clients.model.errors import ClusterError, MeshproofError
from clients.model.evidence import Applied
from clients.model.expect import Expectation
from clients.model.marker import MarkerRecord
from clients.model.probe import Probe
from clients.model.stage import Observation, Settle, Stage, Step
from clients.proof.rig.rig import Rig
from clients.proof.stage.change_arrival import ChangeArrival
from clients.proof.stage.changes import Changes
from clients.proof.stage.client_reach import ClientReach
from clients.proof.stage.entrances import wait_open
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS, baseline_budget_s, observe_probe
from clients.proof.stage.why_unready import explaining


class RunningStage:
    """Context manager: enter = baseline, change; exit = put back, wait, observe the baseline again.

    Where no case observes the state before, the stage starts with the objects that the last one left, and leaves its
    own.

    Args:
        cases: those that will be proven (the selected ones); their `before` is observed.
        others: cases of the stage that are not proven in this run; requests of theirs may show what a client reaches.

    Attributes:
        applied: every object that the change sent, and every Deployment that it scaled.
        since: monotonic seconds at which the stage began: logs matter from then on.
        changed_at: monotonic seconds at which the cluster had accepted the change (the removal, where there is one).
        baselines: by case id, for cases with a `before`.
        settled: what `settle` saw, in its order, then that of the steps taken so far.
    """

    def __init__(self, rig: Rig, stage: Stage, cases: Sequence[Case], others: Sequence[Case] = ()) -> None:
        self.rig = rig
        self.stage = stage
        self.cases = tuple(cases)
        self.applied: tuple[Applied, ...] = ()
        self.since = self.changed_at = time.monotonic()
        self.baselines: dict[str, Observation] = {}
        self.settled: tuple[Observation, ...] = ()
        self.client_reach = ClientReach(rig, self.cases, others, stage.reachable)
        self._changes = Changes(rig)
        self._arrival = ChangeArrival(rig, stage, self.cases)
        self._over: list[Item] = []
        self._steps_taken = 0
        self._checked: set[str] = set()

    def __enter__(self) -> Self:
        """Make the change.

        Raises:
            MeshproofError: no environment, or no change (put back); LackingError: the target cannot show the cases.
        """
        with explaining(self.rig):
            self.rig.deploy(self.stage.environment)
        wait_open(self.rig, self.stage, self.cases)
        applier, stage_objects = self.rig.applier, self.rig.stage_objects
        items = applier.load(self.stage.apply)
        if self._sees_before:
            stage_objects.clear()
        stage_objects.check(items)
        applier.check(applier.load(self.stage.replaced))
        for step in max((self.stage.steps_to(case.step) for case in self.cases), key=len, default=()):
            self._check(step)
        self._observe_baselines()
        self._arrival.before("", items, more=bool(self.stage.scaled))
        try:
            with explaining(self.rig):
                self._change(items)
        except BaseException:
            self._arrival.close()
            self._changes.put_back()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Put everything back, or leave it to the next stage of this process where no other process can notice it.

        Raises:
            ClusterError: something could not be put back, or the state before did not come back.
        """
        self._arrival.close()
        if kind is None and self._may_leave:
            return
        problems = self._changes.put_back()
        if not problems and kind is None:
            problems = self._not_restored()
        if problems:
            message = f"after stage {self.stage.name}: {'; '.join(problems)}"
            raise ClusterError(message, "see the diagnostics of the run")

    @property
    def _sees_before(self) -> bool:
        """Whether the state before the change is part of a proof."""
        return any(case.before for case in self.cases)

    @property
    def _may_leave(self) -> bool:
        """Whether its objects may stay in force (see `clients.apply.stage_objects`): only in its own namespaces."""
        stage = self.stage
        needs = stage.needs.union(*(case.needs for case in self.cases))
        reaches_far = CapabilityName.MESH_WIDE in needs or any(
            one.namespace == self.rig.mesh.root for one in self.applied
        )
        return not (reaches_far or self._sees_before or stage.goes_on or stage.steps or stage.without or stage.scaled)

    def reach(self, name: str) -> None:
        """Take the stage's steps up to the one of this name; none for an empty name, or after an unsettled one.

        Raises:
            ClusterError: the stage is past the step, or the step could not be taken.
        """
        wanted = len(self.stage.steps_to(name))
        if wanted < self._steps_taken:
            raise ClusterError(f"stage {self.stage.name} is past its step {name or 'zero'}", "keep the tests' order")
        while self._steps_taken < wanted and not any(seen.problem for seen in self.settled):
            with explaining(self.rig):
                self._take_step(self.stage.steps[self._steps_taken])
            self._steps_taken += 1

    def _check(self, step: Step) -> None:
        """Check the manifests of a step, once: before the stage is entered if a selected case needs the step."""
        if step.name not in self._checked:
            self.rig.applier.check(self.rig.applier.load(step.apply))
            self._checked.add(step.name)

    @property
    def in_force(self) -> tuple[Item, ...]:
        """The stage's objects as they must be in the cluster now."""
        last = {item.key: item for item in (*self.rig.stage_objects.items, *self._over)}
        return tuple(last.values())

    @property
    def worker(self) -> str:
        """Name of the test process."""
        return self.rig.overlay.worker

    def marked(self, case: Case) -> tuple[MarkerRecord, ...]:
        """What shows that the newest change has arrived where this case's outcome is decided; waits for it."""
        return self._arrival.of(case)

    def since_s(self) -> int:
        """Whole seconds since the stage began, rounded up with a margin: how far back logs matter."""
        return int(time.monotonic() - self.since) + 3

    def _observe_baselines(self) -> None:
        """Look at the state before; it may be seconds old, as the last stage's objects are deleted on entering."""
        entered, policy = time.monotonic(), self.rig.certainty.policy
        seen: dict[tuple[Probe, Expectation], Observation] = {}
        for case in self.cases:
            if case.before is None:
                continue
            key = (case.probe, case.before)
            if key not in seen:
                budget_s = baseline_budget_s(policy, entered)
                seen[key] = observe_probe(
                    self.rig, case.probe, case.before, case.control, BASELINE_CONFIRMATIONS, budget_s
                )
            self.baselines[case.id] = seen[key]

    def _change(self, items: list[Item]) -> None:
        applier = self.rig.applier
        scaled = self._changes.scale(self.stage.scaled)
        lacking = self._changes.delete(self.stage.without)
        left = self.rig.stage_objects.items  # those of the last stage that are deleted belong to the change
        self._changes.register(self.rig.stage_objects.clear)
        self.applied = (*scaled, *self.rig.stage_objects.move_to(items))
        self.changed_at = time.monotonic()
        if not self.stage.goes_on:
            now = self.rig.stage_objects.items
            kept = [one for one in now if one.manifest == OPEN_MESH and one in left]
            touched = [one for one in (*left, *lacking, *now) if one not in kept]
            self._arrival.changed("", touched, now, self.changed_at)
        applier.wait_ready(items)
        self.settled = tuple(self._settle(settle) for settle in self.stage.settle)
        if self.stage.goes_on and not any(seen.problem for seen in self.settled):
            self._go_on()

    def _go_on(self) -> None:
        """The second half of the change: something is deleted, or something else applied."""
        removed = self.rig.applier.load(self.stage.removed)
        self.rig.stage_objects.drop(removed)
        self._apply_over("", self.stage.replaced, removed)

    def _apply_over(self, state: str, paths: Sequence[str], removed: Sequence[Item] = ()) -> None:
        """Apply manifests over what is there, and register their deletion; times count from this change."""
        applier = self.rig.applier
        items = applier.load(paths)
        before = self.rig.stage_objects.items
        self.rig.stage_objects.make_way([*self._over, *items])
        after = self.rig.stage_objects.items
        made_way = [one for one in (*before, *after) if (one in before) is not (one in after)]
        if items:
            self._changes.register(lambda: applier.delete(items))
            self.applied = (*self.applied, *applier.apply(items))
        self._over += items
        self.changed_at = time.monotonic()
        in_force = [*self.rig.stage_objects.items, *self._over]
        self._arrival.changed(state, [*removed, *made_way, *items], in_force, self.changed_at)
        applier.wait_ready(items)

    def _take_step(self, step: Step) -> None:
        self._check(step)
        self._arrival.before(step.name, self.rig.applier.load(step.apply), more=step.restarts)
        if step.restarts:
            istiod.restart(self.rig.cluster, self.rig.applier.timeout_s)
        self._apply_over(step.name, step.apply)
        self.settled = (*self.settled, *(self._settle(settle) for settle in step.settle))

    def _settle(self, settle: Settle) -> Observation:
        try:
            needed = self.rig.certainty.required_confirmations(settle.probe)
        except MeshproofError as error:
            return Observation(settle.probe, settle.expect, self.changed_at, problem=error.message, conclusive=False)
        budget_s = self.rig.certainty.policy.budget_s
        return observe_probe(self.rig, settle.probe, settle.expect, self.stage.name, needed, budget_s, self.changed_at)

    def _not_restored(self) -> list[str]:
        """Problems of baselines that held before and do not come back."""
        done: set[tuple[Probe, Expectation]] = set()
        problems = []
        for case in self.cases:
            if case.before is None or self.baselines[case.id].problem or (case.probe, case.before) in done:
                continue
            done.add((case.probe, case.before))
            seen = observe_probe(
                self.rig,
                case.probe,
                case.before,
                case.control,
                BASELINE_CONFIRMATIONS,
                self.rig.certainty.policy.budget_s,
            )
            if seen.problem:
                problems.append(f"{case.id}: the state before did not come back: {seen.problem}")
        return problems
