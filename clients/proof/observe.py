"""State controls: what is read off the cluster or a proxy, rather than probed. Polled until it holds or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from clients.model.errors import ClusterError, InfrastructureError
from clients.model.evidence import Attempt, Evidence, Phase, Verdict
from clients.model.redact import redact

ProblemOf = Callable[[], str | None]
"""Looks, and says what is wrong; None when all is as it must be."""
POLL_S = 0.5
UNSEEN = "infrastructure: "


def observe(
    blank: Evidence, problem_of: ProblemOf, *, budget_s: float, clock: Callable[[], float] = time.monotonic
) -> Evidence:
    """The evidence of a look that is repeated every half second until nothing is wrong, or for `budget_s` seconds.

    A look that could not be taken (cluster or exec error) is neither: at the end it makes the control inconclusive.

    Args:
        blank: evidence with control, title, expected and the like filled in.
    """
    began, attempts = clock(), list[Attempt]()

    def look() -> str | None:
        problem = _look(problem_of)
        seen = redact(problem) if problem else "as expected"
        attempts.append(Attempt(clock() - began, Phase.CONVERGE, problem is None, seen, ""))
        return problem

    polling = Retrying(stop=stop_after_delay(budget_s), wait=wait_fixed(POLL_S), retry=retry_if_result(bool))
    try:
        polling(look)
        verdict = Verdict.PASS
    except RetryError:
        verdict = Verdict.INCONCLUSIVE if attempts[-1].summary.startswith(UNSEEN) else Verdict.FAIL
    took = clock() - began
    passed = verdict is Verdict.PASS
    return replace(
        blank,
        verdict=verdict,
        reason="" if passed else attempts[-1].summary,
        observed=attempts[-1].summary,
        attempts=tuple(attempts),
        time_to_first_s=took if passed else None,
        time_to_stable_s=took if passed else None,
        duration_s=took,
        budget_s=budget_s,
        slow=passed and took > 0.75 * budget_s,
    )


def _look(problem_of: ProblemOf) -> str | None:
    try:
        problem = problem_of()
    except (InfrastructureError, ClusterError) as error:
        return f"{UNSEEN}{error}"
    return problem or None
