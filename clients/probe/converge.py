"""Waiting for eventual consistency: poll until the expected outcome, then demand that it stays."""

from __future__ import annotations

import time
from collections.abc import Callable

from clients.model.expect import Expectation
from clients.probe.attempts import as_sample
from clients.probe.confirmation_row import ConfirmationRow, ProbeMany
from clients.probe.convergence import SLOW_SHARE, Convergence, ConvergencePolicy


def converge(
    probe: ProbeMany,
    expect: Expectation,
    policy: ConvergencePolicy,
    *,
    needed: int,
    since: float,
    unchanged: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Convergence:
    """Poll until `expect` matches, then demand `needed` matches in a row that span at least the window.

    The first match of the row counts as one of them. A probe that timed out after more than 1 s counts for its whole
    duration, because TCP and DNS retransmit within it. A mismatch after a match is a flap and starts the row again. It
    must then be longer (`confirm.confirmations_after_flaps`), or what is contrary now and then would come to a long
    enough row by luck. An infrastructure outcome starts it again too, and is neither match nor mismatch. Confirmations
    are sent in batches, and all answers of a batch carry the time of its last one.

    The first match of the row must come within the budget: one at the deadline is too late. Its confirmations may take
    up to `confirmation_row.GROWTH` budgets more, as long as none is contrary, because their number and pace are the
    harness's own.

    A run is conclusive if it converged, or if no infrastructure outcome followed its last mismatch. A run whose last
    row began in time and was only too slow to confirm enough is not. Nor is one in which nothing was seen in the second
    half of the budget: the machine, or the way to the cluster, stood still, and the outcome may have come meanwhile.

    Args:
        probe: sends the probes.
        expect: the pinned outcome.
        policy: budget, pauses and window.
        needed: matches in a row to demand (`clients.probe.confirm.confirmations`), at least 1.
        since: time of the change on `clock`; the times of attempts count from it.
        unchanged: the outcome should be there already, so the first batch holds every confirmation.
        clock: seconds that never go back; not the time of day.
        sleep: waits so many seconds of `clock`.

    Raises:
        ValueError: `needed` is below 1.
    """
    if needed < 1:
        raise ValueError(f"needed must be at least 1, not {needed}")
    start = clock()
    row = ConfirmationRow(probe, expect, policy, needed, since, start + policy.budget_s, unchanged, clock)
    while not (converged := row.step()) and clock() < row.limit:
        sleep(row.pause())
    duration = clock() - start
    return Convergence(
        converged=converged,
        conclusive=converged or row.conclusive,
        attempts=tuple(row.attempts),
        samples=tuple(as_sample(*one) for one in row.shown),
        flaps=row.flaps,
        confirmations=row.row,
        time_to_first_s=row.first_s,
        time_to_stable_s=row.attempts[-1].at_s if converged else None,
        duration_s=duration,
        slow=duration > SLOW_SHARE * policy.budget_s,
        last=row.last,
        problem="" if converged else row.problem,
    )
