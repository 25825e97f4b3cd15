"""Requests that ended as where no server is: they were not let in, and may be a machine's doing.

A proxy that takes new configuration closes connections, and a busy node answers late. So a single outcome of this kind,
among refusals, is judged as a flap is while a case converges (`clients.probe.converge`): the row begins again.
"""

from __future__ import annotations

from clients.model.attempt import Attempt
from clients.model.expect import Expectation
from clients.model.outcome import Outcome, OutcomeKind

AWAY = frozenset({502, 503, 504})
"""Statuses that a proxy gives for a server that does not answer."""
_NO_ANSWER = frozenset(OutcomeKind) - {
    OutcomeKind.STATUS,
    OutcomeKind.RECEIVED,
    OutcomeKind.CERTIFICATE,
    OutcomeKind.NOT_HTTP,
    OutcomeKind.OTHER,
    OutcomeKind.INFRASTRUCTURE,
    OutcomeKind.LOOK,
}


def unserved(attempt: Attempt) -> bool:
    """Whether it failed as a request does whose server is missing."""
    return attempt.status in AWAY or (attempt.status is None and attempt.kind in _NO_ANSWER)


def is_late(attempt: Attempt, outcome: Outcome, expect: Expectation) -> bool:
    """Whether a server that has to answer, or to decide, did not in time: a single refusal of this kind is tried again.

    Args:
        outcome: that of the attempt.
    """
    return unserved(attempt) or _undecided(outcome, expect)


def _undecided(outcome: Outcome, expect: Expectation) -> bool:
    """Whether it is the pinned refusal without a body, where one is due.

    Envoy refuses so where an authorization server does not answer in time (`status_on_error` of `ext_authz`, 403 in
    Istio), with the status of that server's own refusals.
    """
    return expect.refuses and outcome.status is not None and outcome.status == expect.status and not outcome.body
