"""What shows that a stage's change has arrived, as far as it can be judged from what the suite states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clients.model.case import Case
from clients.model.expect import Expectation
from clients.model.probe import Probe
from clients.model.stage import Settle, Stage, Step


def may_both_match(one: Expectation, other: Expectation) -> bool:
    """Whether one and the same outcome may be as both say.

    Two that have the same status are taken for different only where each checks something that the other does not.
    """
    if not one.kinds & other.kinds or (one.status, one.grpc_status) != (other.status, other.grpc_status):
        return False
    mine, others = set(one.checks), set(other.checks)
    return mine <= others or others <= mine


@dataclass(frozen=True)
class State:
    """One state of a stage: after its own change, or after a step.

    Attributes:
        name: of the step; empty for the stage's own change.
        changes: whether anything differs from the state before.
        before: what the state before answers, as far as the suite states it.
        mixed: `settle` is about a state that is changed once more before the cases are proven.
    """

    name: str
    changes: bool
    settle: tuple[Settle, ...]
    cases: tuple[Case, ...]
    before: dict[Probe, Expectation]
    mixed: bool = False

    def before_of(self, settle: Settle) -> Expectation | None:
        """What the state before answers to the request that is settled on; None where nothing states it."""
        return settle.before or self.before.get(settle.probe)

    def shows_the_change(self, settle: Settle) -> bool:
        """Whether the state before is known to answer otherwise; once one does, further ones need not."""
        before = self.before_of(settle)
        return before is not None and not may_both_match(before, settle.expect)

    def is_changed(self, case: Case) -> bool:
        """Whether the case's own outcome shows the change, because the state before answers otherwise."""
        known = self.before.get(case.probe)
        if self.mixed:
            known = next((settle.expect for settle in self.settle if settle.probe == case.probe), None)
        elif not self.name:
            known = case.before
        return known is not None and not may_both_match(known, case.expect)


def states(stage: Stage, cases: Iterable[Case]) -> Iterator[State]:
    """The states of a stage in order, each with those of the cases that are proven in it."""
    by_step: dict[str, list[Case]] = {}
    for case in cases:
        by_step.setdefault(case.step, []).append(case)
    known = {case.probe: case.before for those in by_step.values() for case in those if case.before}
    changes = bool(stage.apply or stage.without or stage.scaled or stage.goes_on)
    state = State("", changes, stage.settle, tuple(by_step.get("", ())), known, stage.goes_on)
    yield state
    for step in stage.steps:
        # what the state before this one was asked; of older states it is only known while nothing has changed since
        known = {} if state.changes else dict(known)
        known |= {} if state.mixed else {settle.probe: settle.expect for settle in state.settle}
        known |= {case.probe: case.expect for case in state.cases}
        state = State(step.name, _changes(step), step.settle, tuple(by_step.get(step.name, ())), known)
        yield state


def _changes(step: Step) -> bool:
    return bool(step.apply or step.restarts)


def problem(stage: Stage, cases: Iterable[Case]) -> tuple[str, str] | None:
    """Why the arrival of a change could not be seen, and the line to add; None where it can be."""
    for state in states(stage, cases):
        if not state.changes:
            continue
        where = f"stage {stage.name}" + (f", step {state.name}" if state.name else "")
        if state.settle:
            if not any(state.shows_the_change(settle) for settle in state.settle):
                return _shows_nothing(where, state)
        elif unmoved := next((case for case in state.cases if not state.is_changed(case)), None):
            why = f"{where} has nothing to settle on, and the state before may answer as {unmoved.id} expects"
            return why, _ADD
    return None


_ADD = "add `settle=(Settle(<a request that the change answers otherwise>, <outcome>, before=<outcome before>),)`"


def _shows_nothing(where: str, state: State) -> tuple[str, str]:
    """The message about a state none of whose `Settle` is known to differ from the state before."""
    silent = next((settle for settle in state.settle if state.before_of(settle) is None), None)
    if silent:
        why = f"{where} settles on {_sent(silent.probe)} without saying what the state before answers"
        return why, f"add `before=<the outcome before the change>` to its `Settle` of {silent.expect.text}"
    settle = state.settle[0]
    return f"{where} settles on {_sent(settle.probe)} → {settle.expect.text}, which the state before answers too", _ADD


def _sent(probe: Probe) -> str:
    return f"{probe.method} {probe.url} from {probe.source.namespace}/{probe.source.app}"
