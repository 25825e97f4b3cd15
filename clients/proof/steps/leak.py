"""Proof step of a denial: how small a leak its probes would have shown, and more probes where that is not enough."""

from __future__ import annotations

import time
from dataclasses import dataclass

from clients.model.attempt import Phase
from clients.model.counted import counted
from clients.model.evidence import Finding, FindingVerdict, LeakBound
from clients.probe.attempts import attempt_of
from clients.probe.confirm import CERTAINTY, leak_share, probes_for_leak
from clients.probe.confirmation_row import MAX_BATCH
from clients.proof.proving import ProvingCase, inconclusive, of_case
from clients.proof.unserved import is_late

LEAK = "leak"


@of_case
def leak_bounded(proving: ProvingCase) -> list[Finding]:
    """The share of requests that may have been let through without one of the refused probes showing it.

    Where the run wants a smaller share, further probes follow in batches, for at most the budget of a case. Only their
    ids are kept, for the logs.
    """
    if not (proving.case.refuses and proving.twin_passed):
        return []
    policy = proving.rig.certainty.policy
    after = [one for one in proving.attempts if one.phase is not Phase.TWIN and one.matched]
    refused = proving.seen.confirmations + len(after)
    wanted = probes_for_leak(policy.leak) if policy.leak else 0
    more = _Row()
    if refused < wanted and (contrary := _send_more(proving, wanted, refused, policy.budget_s, more)):
        text = f"{contrary} (after {refused + len(proving.refused_more)} refused probes in a row)"
        return [Finding(LEAK, text, FindingVerdict.FAIL)]
    refused = more.refused if more.again else refused + more.refused
    proving.leak = LeakBound(refused, leak_share(refused))
    if refused < wanted:
        text = f"{refused} of {wanted} probes in {policy.budget_s:g} s, too few to show a leak of {policy.leak:.3g}"
        return [inconclusive(LEAK, f"{text}; raise the budget")]
    return [Finding(LEAK, _text(proving.leak), FindingVerdict.PASS)]


@dataclass
class _Row:
    """Refused probes in a row, in addition to those of the case.

    Attributes:
        again: how often it began again, after an outcome without an answer; then those of the case do not count.
    """

    refused: int = 0
    again: int = 0


def _send_more(proving: ProvingCase, wanted: int, before: int, budget_s: float, row: _Row) -> str:
    """Send refused probes until none is missing or the time is over; returns why one was not refused, else empty.

    A probe that did not run counts as neither. After one that no server answered the row begins again; where the last
    one is such, that is why.
    """
    case, deadline = proving.case, time.monotonic() + budget_s
    send = proving.rig.prober.many(case.probe, case.control, parallel=case.expect.may_time_out)
    problem = ""
    while (left := wanted - row.refused - (0 if row.again else before)) > 0 and time.monotonic() < deadline:
        for outcome in send(min(left, MAX_BATCH)):
            attempt = attempt_of(outcome, case.expect, time.monotonic() - proving.since)
            if attempt.matched:
                proving.refused_more.add(attempt.request_id)
                row.refused, problem = row.refused + 1, ""
            elif attempt.ran:
                proving.attempts.append(attempt)
                if not is_late(attempt, outcome, case.expect):
                    return attempt.problem
                row.refused, row.again, problem = 0, row.again + 1, attempt.problem
    return problem


def _text(bound: LeakBound) -> str:
    percent = f"{100 * bound.share:.2g} %"
    return (
        f"{counted(bound.probes, 'probe')} refused in a row: if {percent} of the requests were let through, one of them"
        f" would have been, with {100 * CERTAINTY:g} % certainty"
    )
