"""The first request of a case whose outcome is not the expected one, and what came instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clients.mesh.why.reason import Effect
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.evidence import Evidence, Verdict
from clients.model.expect import Expectation, status
from clients.model.outcome import TIMEOUTS, OutcomeKind
from clients.model.probe import Probe
from clients.proof.stage.running_stage import RunningStage

_REFUSED = frozenset({401, 403})
_NO_RESPONSE = frozenset({OutcomeKind.RESET, OutcomeKind.EMPTY_REPLY, OutcomeKind.SEND_ERROR})
_BROKEN = frozenset({502, 503})
_BY_A_NETWORK = TIMEOUTS | {OutcomeKind.REFUSED}
"""A network drops a connection or refuses it; a proxy resets it, or answers."""
_NO_CONNECTION = {OutcomeKind.CONNECT_TIMEOUT: Effect.DROPPED, OutcomeKind.DNS: Effect.UNRESOLVED}


@dataclass(frozen=True)
class WrongOutcome:
    """The request whose outcome is not the expected one, and what came instead."""

    probe: Probe
    expect: Expectation
    attempts: tuple[Attempt, ...]

    @property
    def last(self) -> Attempt:
        """The last attempt with another outcome."""
        return self.attempts[-1]

    @property
    def effect(self) -> Effect | None:
        """What happened to the request instead; None where that says nothing about policies."""
        seen, kind = self.last.status, self.last.kind
        if self.expect.grpc_status is not None or (self.expect.kinds == {kind} and self.expect.status == seen):
            return None  # the right outcome in a wrong form: a header, a body
        if kind is OutcomeKind.STATUS and seen is not None and seen < 400:
            return self._served
        if kind in _NO_CONNECTION:
            return _NO_CONNECTION[kind]
        if seen in _REFUSED or (seen is None and kind in _NO_RESPONSE):
            return Effect.CLOSED
        return Effect.BROKEN if seen in _BROKEN else None

    @property
    def _served(self) -> Effect | None:
        if self.expect.kinds and self.expect.kinds <= _BY_A_NETWORK:
            return Effect.UNBLOCKED
        return Effect.OPEN if self.expect.refuses else None


def wrong_outcome(running: RunningStage, case: Case, evidence: Evidence) -> WrongOutcome | None:
    """What went wrong first: before the change, while the stage settled, with the case itself, or with its twin."""
    baseline = running.baselines.get(case.id)
    for seen in (*([baseline] if baseline else []), *running.settled):
        if seen.problem:
            return _asked(seen.probe, seen.expect, seen.attempts)
    own = [one for one in evidence.attempts if one.phase in (Phase.CONVERGE, Phase.CONFIRM)]
    if evidence.time_to_stable_s is None:
        return _asked(case.probe, case.expect, own)
    if case.twin and evidence.twin and evidence.twin.verdict is Verdict.FAIL:
        of_twin = [one for one in evidence.attempts if one.phase is Phase.TWIN]
        return _asked(case.twin, case.twin_expect or status(200), of_twin)
    return None


def _asked(probe: Probe, expect: Expectation, attempts: Sequence[Attempt]) -> WrongOutcome | None:
    wrong = tuple(one for one in attempts if one.ran and not one.matched)
    return WrongOutcome(probe, expect, wrong) if wrong else None
