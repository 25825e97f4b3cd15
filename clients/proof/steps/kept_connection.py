"""A proof step of a denial: who was let in is refused on the same connection, without what it was let in for."""

from __future__ import annotations

import time
from dataclasses import replace

from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict
from clients.model.expect import status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe
from clients.probe.attempts import attempt_of
from clients.proof.proving import SAME_CONNECTION, ProvingCase, inconclusive, of_case
from clients.proof.unserved import is_late

TRIES = 3
"""Pairs of requests, where no server answers the second: a proxy may close its connection for new configuration."""


@of_case
def refused_on_the_same_connection(proving: ProvingCase) -> list[Finding]:
    """The twin's request, then the case's own, on one connection; the second is refused.

    All other probes have a connection each. A proxy that keeps what a connection's first request has shown would
    refuse them all. There is no finding where the two share no connection: another host, HTTP/2, or a server or a load
    balancer that closes it after each answer. An answer that is no refusal counts there as well.
    """
    case = proving.case
    if not (case.refuses and proving.twin_passed and case.twin) or OutcomeKind.STATUS not in case.expect.kinds:
        return []
    found: list[Finding] = []
    for _ in range(TRIES):
        found, again = _tried(proving, case.twin)
        if not again:
            break
    return found


def _tried(proving: ProvingCase, twin: Probe) -> tuple[list[Finding], bool]:
    """The finding of one try, and whether no server answered the second request, so that another try is due.

    The same where its answer was lost.
    """
    case = proving.case
    try:
        pair = proving.rig.prober.on_one_connection(twin, case.probe, case.control)
    except MeshproofError as error:
        return [inconclusive(SAME_CONNECTION, error.message)], False
    if pair is None:
        return [], False
    shared = pair.reused and not (case.twin_expect or status(200)).problem(pair.first)
    if not shared and pair.second.status is None:
        return [], False
    at_s = time.monotonic() - proving.since
    attempt = attempt_of(replace(pair.second, ordinary=True), case.expect, at_s)
    proving.attempts.append(attempt)
    if not attempt.matched:
        verdict = FindingVerdict.FAIL if attempt.ran else FindingVerdict.INCONCLUSIVE
        again = not attempt.ran or is_late(attempt, pair.second, case.expect)
        return [Finding(SAME_CONNECTION, f"after the twin's request: {attempt.problem}", verdict)], again
    text = f"after the twin's request it still got {attempt.summary}"
    return ([Finding(SAME_CONNECTION, text, FindingVerdict.PASS)] if shared else []), False
