"""How long a case waited for its outcome, and for what: from the change to its last confirmation."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.evidence import Evidence, Finding, FindingVerdict
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.stage import Observation
from clients.probe.convergence import SLOW_SHARE, Convergence
from clients.proof.stage.running_stage import RunningStage


def _seen_settling(running: RunningStage, case: Case) -> Observation | None:
    """The same request with the same expectation, seen while the stage settled: the case's first attempts."""
    settling = (seen for seen in running.settled if seen.at == running.changed_at)
    same = (seen for seen in settling if (seen.probe, seen.expect) == (case.probe, case.expect))
    return next(same, None)


def converged(running: RunningStage, case: Case, evidence: Evidence, seen: Convergence, budget_s: float) -> Evidence:
    """The evidence with what was seen while the case converged, and with the times of the whole wait.

    Args:
        budget_s: that the case had for it, in seconds.
    """
    settling = _seen_settling(running, case)
    first_s, stable_s = seen.time_to_first_s, seen.time_to_stable_s
    if settling is not None and seen.converged and not seen.flaps:
        first_s, stable_s = settling.first_s, settling.stable_s
    evidence = replace(
        evidence,
        observed=seen.last.summary if seen.last else "nothing",
        attempts=evidence.attempts + (settling.attempts if settling else ()) + seen.attempts,
        samples=seen.samples,
        flaps=seen.flaps + (settling.flaps if settling else 0),
        confirmations=seen.confirmations,
        time_to_first_s=first_s,
        time_to_stable_s=stable_s,
    )
    return _whole_wait(running, evidence, seen.duration_s, budget_s)


def _whole_wait(running: RunningStage, evidence: Evidence, own_s: float, budget_s: float) -> Evidence:
    """The evidence with the times of the whole wait, from the change on.

    Time in which the case only waited for its turn is not counted, but whatever the stage or the case waited for is.
    """
    settled = [one.stable_s for one in running.settled if one.at == running.changed_at]
    stable = [one for one in (*settled, *(one.stable_s for one in evidence.markers)) if one is not None]
    waited_s = max(stable, default=0.0)
    duration_s = waited_s + own_s
    stable_s = evidence.time_to_stable_s
    return replace(
        evidence,
        time_to_stable_s=None if stable_s is None else max(stable_s, waited_s),
        duration_s=duration_s,
        slow=duration_s > SLOW_SHARE * budget_s,
    )


MARKER = "marker"
"""Name of that finding."""
_OF_MARKER = {
    MarkerState.SEEN: FindingVerdict.PASS,
    MarkerState.MISSING: FindingVerdict.INCONCLUSIVE,
    MarkerState.UNAVAILABLE: FindingVerdict.NOT_CHECKED,
}


def of_marker(record: MarkerRecord) -> Finding:
    """What a marker showed, as a finding of the case that waited for it."""
    text = f"{record.place}: {record.text}"
    text = f"not checked: {text}" if record.state is MarkerState.UNAVAILABLE else text
    return Finding(MARKER, text, _OF_MARKER[record.state])
