"""Proof step of a denial: how small a leak its probes would have shown, and more probes where that is not enough."""

from __future__ import annotations

import time

from clients.model.attempt import Phase
from clients.model.evidence import Finding, FindingVerdict, LeakBound
from clients.probe.attempts import attempt_of
from clients.probe.confirm import CERTAINTY, leak_share, probes_for_leak
from clients.probe.confirmation_row import MAX_BATCH
from clients.proof.proving import ProvingCase, inconclusive, of_case

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
    if refused < wanted and (contrary := _send_more(proving, wanted - refused, policy.budget_s)):
        text = f"{contrary} (after {refused + len(proving.refused_more)} refused probes in a row)"
        return [Finding(LEAK, text, FindingVerdict.FAIL)]
    refused += len(proving.refused_more)
    proving.leak = LeakBound(refused, leak_share(refused))
    if refused < wanted:
        text = f"{refused} of {wanted} probes in {policy.budget_s:g} s, too few to show a leak of {policy.leak:.3g}"
        return [inconclusive(LEAK, f"{text}; raise the budget")]
    return [Finding(LEAK, _text(proving.leak), FindingVerdict.PASS)]


def _send_more(proving: ProvingCase, missing: int, budget_s: float) -> str:
    """Send refused probes until none is missing or the time is over; returns why one was not refused, else empty.

    A probe that did not run counts as neither.
    """
    case, deadline = proving.case, time.monotonic() + budget_s
    send = proving.rig.prober.many(case.probe, case.control, parallel=case.expect.may_time_out)
    while (left := missing - len(proving.refused_more)) > 0 and time.monotonic() < deadline:
        for outcome in send(min(left, MAX_BATCH)):
            attempt = attempt_of(outcome, case.expect, time.monotonic() - proving.since)
            if attempt.matched:
                proving.refused_more.add(attempt.request_id)
            elif attempt.ran:
                proving.attempts.append(attempt)
                return attempt.problem
    return ""


def _text(bound: LeakBound) -> str:
    percent = f"{100 * bound.share:.2g} %"
    return (
        f"{bound.probes} probes refused in a row: if {percent} of the requests were let through, one of them would have"
        f" been, with {100 * CERTAINTY:g} % certainty"
    )
