"""Times to stable by kind of policy, and flaps: geometry for the template, in per cent of the width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clients.model.evidence import Evidence
from reports.html.index import Index
from reports.kinds import policy_kinds

_LEFT, _RIGHT = 1.0, 97.0
_MOST_FLAPPED = 20
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Spread:
    """Cases of one kind of policy.

    Attributes:
        seconds: first, quarter, median, three quarters, last.
        x: the same on the axis, which is logarithmic.
    """

    kind: str
    number: int
    seconds: tuple[float, ...]
    x: tuple[float, ...]
    slow: int
    flaps: int


@dataclass(frozen=True)
class Times:
    """What the template draws. `flapped` has the cases with the most flaps, each with the width of its bar."""

    rows: tuple[Spread, ...]
    ticks: tuple[tuple[float, str], ...]
    flapped: tuple[tuple[Evidence, float], ...]
    anchors: Mapping[str, str]


def times(index: Index) -> Times | None:
    """The plots; None where no case had a policy of which a time is known."""
    by_kind: dict[str, list[Evidence]] = {}
    for case in index.cases:
        if case.time_to_stable_s is not None:
            for kind in policy_kinds(case.applied):
                by_kind.setdefault(kind, []).append(case)
    if not by_kind:
        return None
    quarters = {kind: _quarters([case.time_to_stable_s or 0.0 for case in cases]) for kind, cases in by_kind.items()}
    low = 10 ** math.floor(math.log10(max(0.01, min(each[0] for each in quarters.values()))))
    high = max(low * 10, *(each[-1] for each in quarters.values()))

    def place(seconds: float) -> float:
        share = math.log10(max(seconds, low) / low) / math.log10(high / low)
        return round(_LEFT + share * (_RIGHT - _LEFT), 2)

    rows = tuple(
        Spread(kind, len(by_kind[kind]), each, tuple(map(place, each)), sum(case.slow for case in by_kind[kind]),
               sum(case.flaps for case in by_kind[kind]))
        for kind, each in sorted(quarters.items())
    )  # fmt: skip
    decades = (low * 10**power * step for power in range(6) for step in (1, 3))
    ticks = tuple((place(at), f"{at:g} s") for at in decades if at <= high)
    flapped = sorted((case for case in index.cases if case.flaps), key=lambda case: -case.flaps)[:_MOST_FLAPPED]
    most = max((case.flaps for case in flapped), default=1)
    return Times(rows, ticks, tuple((case, round(100 * case.flaps / most, 1)) for case in flapped), index.anchors)


def _quarters(values: Sequence[float]) -> tuple[float, ...]:
    ordered = sorted(values)
    return tuple(ordered[round(share * (len(ordered) - 1))] for share in _QUARTERS)
