"""Whether the changes of one stage have arrived: by a marker at each proxy, and by a sign where no proxy takes part.

A case whose outcome the change itself changes needs neither: its own outcome shows the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clients.apply.item import Item
from clients.model.case import Case
from clients.model.expect import Expectation, status
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.probe import Probe
from clients.model.settling import State, states
from clients.model.stage import Settle, Stage
from clients.proof.rig.rig import Rig
from clients.proof.stage.marker_plan import Allowed, by_proxies
from clients.proof.stage.markers import Markers
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS, observe_probe


class ChangeArrival:
    """Sends a stage's markers, and knows what they showed.

    Args:
        cases: those that will be proven.
    """

    def __init__(self, rig: Rig, stage: Stage, cases: Iterable[Case]) -> None:
        self._rig = rig
        self._stage = stage
        self._states = {state.name: state for state in states(stage, cases)}
        self._markers = Markers(rig, stage.name)
        self._signs: dict[str, MarkerRecord] = {}

    def before(self, name: str, coming: Sequence[Item], *, more: bool = False) -> None:
        """Look at the state before a change that no proxy takes part in, for instance of network policies.

        What the stage settles on shows the arrival of such a change only where the state before was seen to answer
        otherwise. Objects that the last stage left may give another answer: then they are deleted first.

        Args:
            name: of the step; empty for the stage's own change.
            coming: the objects of the change.
            more: the change scales or restarts something as well.
        """
        state = self._states[name]
        in_force = {item.key: item.body for item in self._rig.stage_objects.items}
        foreign = [item for item in coming if not by_proxies(item) and in_force.get(item.key) != item.body]
        if not _unchanged(state) or not (foreign or more):
            return
        kinds = ", ".join(sorted({item.kind for item in foreign})) or "workloads"
        if any(item.kind in self._stage.not_shown for item in foreign):  # what the stage settles on is another change's
            why = f"a change of {kinds} has no marker, and no request shows it on this target"
            self._signs[name] = MarkerRecord(kinds, MarkerState.UNAVAILABLE, why)
            return
        settle = next((one for one in state.settle if state.shows_the_change(one)), None)
        self._signs[name] = self._sign(kinds, settle, state.before_of(settle) if settle else None, own=not name)

    def changed(self, name: str, touched: Sequence[Item], in_force: Sequence[Item], since: float) -> None:
        """Send the markers of a change that the cluster has accepted; `since` is the change's monotonic time."""
        state = self._states[name]
        self._markers.send(touched, in_force, _unchanged(state), _allowed(state), since)

    def of(self, case: Case) -> tuple[MarkerRecord, ...]:
        """What shows that the change has arrived where the case's outcome is decided. Waits for it.

        Empty for a case whose own outcome shows it, and for one that the change cannot concern.
        """
        state = self._states.get(case.step)
        if state is None or case.id not in {one.id for one in _unchanged(state)}:
            return ()
        sign = self._signs.get(case.step)
        return (*self._markers.of(case), *((sign,) if sign else ()))

    def close(self) -> None:
        """End what still looks for a marker."""
        self._markers.close()

    def _sign(self, kinds: str, settle: Settle | None, before: Expectation | None, *, own: bool) -> MarkerRecord:
        if settle is None or before is None:
            why = f"a change of {kinds} has no marker, and nothing that the stage settles on shows it"
            return MarkerRecord(kinds, MarkerState.UNAVAILABLE, why)
        if own and self._rig.stage_objects.items and not self._answers(settle.probe, before):
            self._rig.stage_objects.clear()
        budget_s = self._rig.certainty.policy.budget_s  # the last stage may have ended just now
        seen = observe_probe(self._rig, settle.probe, before, self._stage.name, BASELINE_CONFIRMATIONS, budget_s)
        sent = f"{settle.probe.method} {settle.probe.url}"
        if seen.problem:
            why = f"the state before did not answer {sent} as stated: {seen.problem}"
            return MarkerRecord(kinds, MarkerState.MISSING, why, probes=len(seen.attempts))
        text = f"{sent} was {before.text} before, and the stage settled on {settle.expect.text}"
        return MarkerRecord(kinds, MarkerState.SEEN, text, probes=len(seen.attempts))

    def _answers(self, probe: Probe, expect: Expectation) -> bool:
        [outcome] = self._rig.prober.probe(probe, self._stage.name)
        return expect.problem(outcome) is None


def _unchanged(state: State) -> list[Case]:
    return [case for case in state.cases if not state.is_changed(case)]


def _allowed(state: State) -> list[Allowed]:
    """Requests that are let through in the state, as the suite states."""
    own = [case for case in state.cases if not case.expect_of and (case.twin is None or not case.expect.refuses)]
    stated = [(case.probe, case.expect) for case in own]
    stated += [(case.twin, case.twin_expect or status(200)) for case in state.cases if case.twin]
    settled = [] if state.mixed else [settle for settle in state.settle if not settle.expect.refuses]
    stated += [(settle.probe, settle.expect) for settle in settled]
    return [Allowed(probe, expect) for probe, expect in dict(stated).items() if expect.status not in _REFUSALS]


_REFUSALS = (None, 401, 403)
"""No answer, or the status of a proxy that refuses. Any other may be the server's own, also one above 400."""
