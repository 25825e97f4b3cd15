"""Whether times changed over the nights: tests by ranks, which need no shape of the distribution and bear outliers.

Trend: Mann (1945) and Kendall (1975), with the correction for ties; its slope is that of Sen (1968), the median of all
slopes between two nights. Change points: Pettitt (1979), "A non-parametric approach to the change-point problem",
applied again to both sides of each point that it finds. Where a series has a new level is not where his statistic is
largest, which ranks on the longer side move: it is where the values differ least from the medians of both sides.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

LEVEL = 0.01
"""A trend or a change point is claimed where chance alone would show one in at most this share of histories."""
LEAST = 8
"""Nights that a series needs; half of it is the least that a change point must have on either side."""


@dataclass(frozen=True)
class Trend:
    """The tendency of a series. `per_night` is Sen's slope, `chance` the two-sided p of Mann and Kendall."""

    per_night: float
    chance: float

    @property
    def claimed(self) -> bool:
        """Whether it is more than chance."""
        return self.chance <= LEVEL


def trend(values: Sequence[float]) -> Trend | None:
    """The trend of values that are one night apart; None where there are fewer than `LEAST`."""
    number = len(values)
    if number < LEAST:
        return None
    pairs = list(combinations(range(number), 2))
    score = sum((values[b] > values[a]) - (values[b] < values[a]) for a, b in pairs)
    ties = sum(n * (n - 1) * (2 * n + 5) for n in Counter(values).values())
    variance = (number * (number - 1) * (2 * number + 5) - ties) / 18
    z = (score - math.copysign(1, score)) / math.sqrt(variance) if score and variance else 0.0
    slope = statistics.median((values[b] - values[a]) / (b - a) for a, b in pairs)
    return Trend(slope, math.erfc(abs(z) / math.sqrt(2)))


def change_points(values: Sequence[float], offset: int = 0) -> list[int]:
    """Indices of the first night of each new level, in order."""
    number = len(values)
    if number < LEAST:
        return []
    ranks = _ranks(values)
    best, below = 0.0, 0.0
    for t in range(1, number):
        below += ranks[t - 1]
        best = max(best, abs(2 * below - t * (number + 1)))
    if 2 * math.exp(-6 * best**2 / (number**3 + number**2)) > LEVEL:
        return []
    side = LEAST // 2
    place = min(range(side, number - side + 1), key=lambda t: _spread(values[:t]) + _spread(values[t:]))
    return [
        *change_points(values[:place], offset),
        offset + place,
        *change_points(values[place:], offset + place),
    ]


def _spread(values: Sequence[float]) -> float:
    """Sum of the absolute deviations from the median."""
    middle = statistics.median(values)
    return sum(abs(value - middle) for value in values)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of sorted values, by linear interpolation; `share` from 0 to 1."""
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1 on; equal values share the middle of theirs."""
    order = sorted(values)
    first: dict[float, int] = {}
    for index, value in enumerate(order):
        first.setdefault(value, index)
    number = Counter(order)
    return [first[value] + (number[value] + 1) / 2 for value in values]
