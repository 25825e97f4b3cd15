"""An outcome observed apart from any case: a state before a change, or one that a stage settles on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from clients.model.errors import AbandonedError
from clients.model.expect import Expectation
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Probe
from clients.model.stage import Observation
from clients.probe.confirmation_row import ProbeMany
from clients.probe.converge import converge
from clients.probe.convergence import Convergence, ConvergencePolicy
from clients.proof.rig.rig import Rig

BASELINE_CONFIRMATIONS = 3
"""Matches in a row for a state in which nothing has changed; stale answers of a change concern only the cases."""
BASELINE_BUDGET_S = 15.0
"""Seconds for a state in which nothing has changed; half of the budget of a case where that is longer, as on a cluster
whose changes take minutes to arrive, where the end of the stage before may still be on its way."""


def baseline_budget_s(policy: ConvergencePolicy, since: float) -> float:
    """Seconds for a state before a change: what is left of a case's budget, but not less than for any baseline.

    Args:
        since: monotonic time of what made this state, as the end of the last stage or a new environment.
    """
    left_s = since + policy.budget_s - time.monotonic()
    return min(policy.budget_s, max(BASELINE_BUDGET_S, policy.budget_s / 2, left_s))


def observe_probe(
    rig: Rig,
    probe: Probe,
    expect: Expectation,
    control: str,
    needed: int,
    budget_s: float | None = None,
    since: float | None = None,
    ended: threading.Event | None = None,
) -> Observation:
    """Observe an outcome; all confirmations at once if nothing has changed (no `since`) or each may time out.

    Where nothing has changed and a name could not be resolved, the cluster's name servers are why, and not the mesh.

    Raises:
        AbandonedError: `ended` is set, or the prober's own work was ended.
    """
    at = time.monotonic() if since is None else since
    at_once = since is None or expect.may_time_out
    of_cases = rig.certainty.policy
    limit_s = baseline_budget_s(of_cases, -math.inf) if budget_s is None else min(budget_s, of_cases.budget_s)
    policy = replace(of_cases, budget_s=limit_s, window_s=0.0)
    send = rig.prober.many(probe, control, parallel=expect.may_time_out)
    if ended:
        send = _until(ended, send)
    seen: Convergence = converge(send, expect, policy, needed=needed, since=at, unchanged=at_once)
    return Observation(
        probe=probe,
        expect=expect,
        at=at,
        attempts=seen.attempts,
        flaps=seen.flaps,
        first_s=seen.time_to_first_s,
        stable_s=seen.time_to_stable_s,
        problem=seen.problem,
        conclusive=seen.conclusive and not (since is None and _unresolved(seen, expect)),
    )


def _unresolved(seen: Convergence, expect: Expectation) -> bool:
    """Whether the last answer came from no server, as its name was not resolved, which was not expected."""
    return seen.last is not None and seen.last.kind is OutcomeKind.DNS and OutcomeKind.DNS not in expect.kinds


def _until(ended: threading.Event, send: ProbeMany) -> ProbeMany:
    def sent(count: int) -> Sequence[Outcome]:
        if ended.is_set():
            raise AbandonedError
        return send(count)

    return sent
