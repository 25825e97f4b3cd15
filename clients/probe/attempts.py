"""An outcome as evidence keeps it."""

from __future__ import annotations

from clients.model.attempt import Attempt, Phase, Sample
from clients.model.expect import Expectation
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.redact import redact, redact_mapping


def attempt_of(outcome: Outcome, expect: Expectation, at_s: float) -> Attempt:
    """An outcome that a proof step has seen, as an attempt of the case."""
    lost = outcome.kind is OutcomeKind.INFRASTRUCTURE
    problem = outcome.summary if lost else expect.problem(outcome) or ""
    return as_attempt(outcome, problem, at_s, Phase.CONFIRM)


def as_attempt(outcome: Outcome, problem: str, at_s: float, phase: Phase) -> Attempt:
    """An outcome that was judged, redacted.

    Args:
        problem: why it does not match, or why the probe did not run; empty where it matches.
        at_s: seconds since the case's change.
    """
    return Attempt(
        at_s=at_s,
        phase=phase,
        matched=not problem,
        summary=redact(outcome.summary),
        request_id=outcome.request_id,
        problem=redact(problem),  # it may quote the body
        local=outcome.local_address,
        kind=outcome.kind,
        status=outcome.status,
        ordinary=outcome.ordinary,
    )


def as_sample(outcome: Outcome, at_s: float) -> Sample:
    """The whole answer, redacted; `at_s` as for `as_attempt`."""
    headers = redact_mapping(outcome.headers).items()
    return Sample(
        at_s=at_s,
        summary=redact(outcome.summary),
        request_id=outcome.request_id,
        remote_address=outcome.remote_address,
        total_s=outcome.total_s,
        headers={name: [redact(value) for value in values] for name, values in headers},
        body=redact(outcome.body),
        error=redact(outcome.error),
    )
