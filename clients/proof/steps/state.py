"""The proof step of a state control: it is about a state of the cluster, which no request shows."""

from __future__ import annotations

import time

from clients.model.attempt import Attempt, Phase
from clients.model.errors import ClusterError, InfrastructureError
from clients.model.evidence import Finding, FindingVerdict
from clients.model.outcome import OutcomeKind
from clients.model.redact import redact
from clients.proof.proving import ProblemOf, ProvingState, of_state

STATE = "state"
AS_EXPECTED = "as expected"
POLL_S = 0.5


@of_state
def state_holds(proving: ProvingState) -> list[Finding]:
    """Look every half second until nothing is wrong, or until the budget is used up; at least once.

    A look that could not be taken (cluster or exec error) is neither pass nor fail: if it was the last one, the finding
    is inconclusive.
    """
    began = time.monotonic()
    while True:
        attempt = _look(proving.problem_of, time.monotonic() - began)
        proving.attempts.append(attempt)
        proving.took_s = time.monotonic() - began
        if attempt.matched or proving.took_s >= proving.budget_s:
            break
        time.sleep(POLL_S)
    if attempt.matched:
        return [Finding(STATE, AS_EXPECTED, FindingVerdict.PASS)]
    return [Finding(STATE, attempt.problem, FindingVerdict.FAIL if attempt.ran else FindingVerdict.INCONCLUSIVE)]


def _look(problem_of: ProblemOf, at_s: float) -> Attempt:
    kind = OutcomeKind.LOOK
    try:
        problem = problem_of() or ""
    except (InfrastructureError, ClusterError) as error:
        problem, kind = f"{OutcomeKind.INFRASTRUCTURE}: {error}", OutcomeKind.INFRASTRUCTURE
    problem = redact(problem)
    return Attempt(at_s, Phase.CONVERGE, not problem, problem or AS_EXPECTED, "", problem, kind=kind)
