"""Proof step: requests like any user's see what the recognisable ones see."""

from __future__ import annotations

import time

from clients.model.attempt import Attempt, Phase
from clients.model.evidence import Finding, FindingVerdict
from clients.probe.attempts import attempt_of
from clients.proof.proving import ORDINARY, ProvingCase, inconclusive, of_case

_MORE = 2
"""Probes that are sent where none was ordinary; of so many, one is."""


@of_case
def ordinary_agree(proving: ProvingCase) -> list[Finding]:
    """Some of the case's probes were like any user's requests, and saw the pinned outcome as the others did.

    Where they did not, the case has not converged, or another step has said so; see `clients.probe.ordinary`.
    """
    own = _own(proving)
    if not any(attempt.ordinary for attempt in own):
        more = _send(proving)
        proving.attempts += more
        own += more
        if wrong := next((one for one in more if one.problem), None):
            verdict = FindingVerdict.FAIL if wrong.ran else FindingVerdict.INCONCLUSIVE
            return [Finding(ORDINARY, wrong.problem, verdict)]
    alike = sum(attempt.ordinary for attempt in own)
    if not alike:
        return [inconclusive(ORDINARY, "no probe was like a user's request")]
    text = f"{alike} of {len(own)} probes had nothing of the harness's, and saw what the others saw"
    return [Finding(ORDINARY, text, FindingVerdict.PASS)]


def _own(proving: ProvingCase) -> list[Attempt]:
    """The case's own probes that saw the pinned outcome."""
    steps = [attempt for attempt in proving.attempts if attempt.phase is not Phase.TWIN]
    return [attempt for attempt in (*proving.seen.attempts, *steps) if attempt.matched]


def _send(proving: ProvingCase) -> list[Attempt]:
    case = proving.case
    outcomes = proving.rig.prober.many(case.probe, case.control, parallel=case.expect.may_time_out)(_MORE)
    at_s = time.monotonic() - proving.since
    return [attempt_of(outcome, case.expect, at_s) for outcome in outcomes]
