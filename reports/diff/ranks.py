"""Whether the times of one side are longer than those of another: a test by ranks, exact for small numbers of runs.

Test: Mann and Whitney (1947), "On a test of whether one of two random variables is stochastically larger than the
other". Its distribution is counted exactly, ties included, up to `EXACT` values; above, it is the normal one with the
correction for ties and for continuity. Many tests at once: Benjamini and Hochberg (1995). Shift: Hodges and Lehmann
(1963), the median of all differences between the two sides.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

EXACT = 40
"""Values of both sides together, up to which all arrangements are counted."""


@dataclass(frozen=True)
class Longer:
    """How much longer the values after are than those before.

    Attributes:
        u: number of pairs (before, after) in which the later value is larger, ties as a half.
        chance: that `u` is at least this large where both sides are alike (one-sided p).
        share: `u` of all pairs: 0.5 where nothing differs, 1 where each value after is larger than each before.
        shift: median of all differences between after and before, in the unit of the values.
    """

    u: float
    chance: float
    share: float
    shift: float


def longer(before: Sequence[float], after: Sequence[float]) -> Longer:
    """The test of these values; each side has at least one."""
    u = sum((b > a) + (b == a) / 2 for a in before for b in after)
    everything = sorted([*before, *after])
    pairs = len(before) * len(after)
    exact = len(everything) <= EXACT
    return Longer(
        u=u,
        chance=_exact(u, _doubled_ranks(everything), len(after)) if exact else _normal(u, everything, len(after)),
        share=u / pairs,
        shift=statistics.median(b - a for a in before for b in after),
    )


def least_chance(before: int, after: int) -> float:
    """The smallest one-sided p that so many values can have: 1 in the number of arrangements."""
    return 1 / math.comb(before + after, after)


def adjusted(chances: Sequence[float]) -> list[float]:
    """Each chance after the correction for the number of tests: share of false claims among claims up to it."""
    number = len(chances)
    order = sorted(range(number), key=lambda index: chances[index], reverse=True)
    found, least = [1.0] * number, 1.0
    for place, index in enumerate(order):
        least = min(least, chances[index] * number / (number - place))
        found[index] = least
    return found


def _doubled_ranks(ordered: Sequence[float]) -> tuple[int, ...]:
    """Twice the rank of each of the sorted values, from 2 on: equal values share the middle of theirs."""
    number = Counter(ordered)
    first: dict[float, int] = {}
    for index, value in enumerate(ordered):
        first.setdefault(value, index)
    return tuple(2 * first[value] + number[value] + 1 for value in ordered)


def _exact(u: float, ranks: tuple[int, ...], after: int) -> float:
    sums = _rank_sums(ranks, after)
    least = round(2 * u) + after * (after + 1)  # twice the sum of ranks that belongs to u
    return sum(count for total, count in sums.items() if total >= least) / math.comb(len(ranks), after)


@lru_cache(maxsize=64)
def _rank_sums(ranks: tuple[int, ...], chosen: int) -> Counter[int]:
    """How many choices of so many ranks have each sum."""
    by_size: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in range(chosen))]
    for place, rank in enumerate(ranks):
        for size in range(min(chosen, place + 1), 0, -1):
            for total, count in by_size[size - 1].items():
                by_size[size][total + rank] += count
    return by_size[chosen]


def _normal(u: float, ordered: Sequence[float], after: int) -> float:
    number = len(ordered)
    pairs = after * (number - after)
    ties = sum(count**3 - count for count in Counter(ordered).values()) / (number * (number - 1))
    variance = pairs / 12 * (number + 1 - ties)
    if not variance:
        return 1.0
    return 0.5 * math.erfc((u - pairs / 2 - 0.5) / math.sqrt(2 * variance))
