"""How many confirmations in a row a change needs before it counts as converged: derived, not guessed."""

from __future__ import annotations

import math

from clients.model.errors import SettingsError

CERTAINTY = 0.99
"""How certain a statement about a leak is: one of at least that share would have been seen with this probability."""
Z = 1.645
"""Quantile of the normal distribution for 95 %, one-sided."""
MINIMUM = 3
"""Fewer matches than this are never enough, however small the target is."""


def confirmations(threads: int, replicas: int, error_rate: float) -> int:
    """Smallest number of matches in a row after which a stale answer is rarer than `error_rate`.

    The model (docs/convergence.md): each worker thread of the client's sidecar keeps one pooled connection to
    each replica of the server, so there are n = threads x replicas pools. After a change each pool may answer once
    more by the old rules before it is drained. A probe on a fresh connection lands on one of the n pools at random,
    so one given pool was missed by K probes with probability (1 - 1/n)^K, and any of them with at most
    n (1 - 1/n)^K. The result is the smallest K that brings this bound to `error_rate`, and at least `MINIMUM`.

    Args:
        threads: worker threads of the client's sidecar (Envoy's `concurrency`); 1 where there is no sidecar.
        replicas: ready replicas of the server.
        error_rate: accepted probability that a stale pool is left, between 0 and 1 (both excluded).

    Raises:
        SettingsError: an argument is out of range.
    """
    if threads < 1 or replicas < 1:
        raise SettingsError(f"threads ({threads}) and replicas ({replicas}) must be at least 1")
    if not 0 < error_rate < 1:
        raise SettingsError(f"error rate {error_rate} is not between 0 and 1", "use for instance 1e-4")
    pools = threads * replicas
    if pools == 1:
        return MINIMUM
    needed = math.ceil(math.log(error_rate / pools) / math.log1p(-1 / pools))
    return max(MINIMUM, needed)


def stale_probability(pools: int, matches: int) -> float:
    """The bound n (1 - 1/n)^K for `pools` n and `matches` K in a row, at most 1."""
    return min(1.0, pools * (1 - 1 / pools) ** matches)


def confirmations_after_flaps(flaps: int, contrary: int, probes: int, error_rate: float) -> int:
    """Smallest number of matches in a row that a mesh which answers contrarily now and then rarely reaches by chance.

    If a share p of the answers is contrary, for good, a row of K matches begins with probability (1 - p)^K, and each
    flap begins another row: one of f + 1 rows is that long with at most (f + 1) (1 - p)^K. The result is the smallest K
    that brings this bound to `error_rate`. For p counts the least share that is likely by what was seen (Wilson's lower
    bound, 95 %), as the first answers after a change are contrary more often than later ones. A change that spreads
    slowly is flapping too, but only until it has come everywhere, so that a longer row costs it little.

    Args:
        flaps: matches that were followed by a contrary answer.
        contrary: contrary answers since the first match.
        probes: all answers since the first match, without those of the row that goes on.

    Returns:
        0 where nothing was contrary.
    """
    if not flaps or not 0 < contrary < probes:
        return 0
    return math.ceil(math.log(error_rate / (flaps + 1)) / math.log1p(-_at_least(contrary, probes)))


def _at_least(hits: int, trials: int) -> float:
    """Wilson's lower bound of a share (Wilson 1927), one-sided."""
    share, square = hits / trials, Z**2 / trials
    spread = Z * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return (share + square / 2 - spread) / (1 + square)


def leak_share(probes: int) -> float:
    """Smallest share of requests let through that so many refused probes would have shown with `CERTAINTY`.

    If a share p of requests passes, n probes miss it with probability (1 - p)^n; the result is the p at which that is
    1 - `CERTAINTY`: 0.25 for 16 probes, 0.01 for 459.

    Args:
        probes: all refused, each on a fresh connection; at least 1.

    Raises:
        ValueError: `probes` is below 1.
    """
    if probes < 1:
        raise ValueError(f"no share follows from {probes} probes")
    return -math.expm1(math.log1p(-CERTAINTY) / probes)


def probes_for_leak(share: float) -> int:
    """Smallest number of refused probes whose `leak_share` is at most this share, between 0 and 1 (both excluded)."""
    needed = max(1, math.ceil(math.log1p(-CERTAINTY) / math.log1p(-share) - 1e-9))
    return needed if leak_share(needed) <= share else needed + 1
