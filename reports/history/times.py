"""Times to stable: for each kind of policy, night by night, with trend and change points; the slowest; the flaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.history.record import HistoryRow
from reports.history.trends import Trend, change_points, quantile, trend
from reports.marks import Mark

MOST = 20
"""How many of the slowest, and of those with flaps, are listed."""
GOOD = frozenset({Mark.PASS, Mark.REDUCED})
"""Marks whose time to stable counts: that of a failure says how long the harness waited, and no more."""


@dataclass(frozen=True)
class Night:
    """The distribution of one night, in seconds. `night` is its index."""

    night: int
    cases: int
    p10_s: float
    median_s: float
    p90_s: float


@dataclass(frozen=True)
class Level:
    """A night from which on times were others: median of the nightly medians before and after, in seconds."""

    night: int
    before_s: float
    after_s: float


@dataclass(frozen=True)
class KindTimes:
    """One kind of policy. A case with several kinds counts for each of them.

    Attributes:
        nights: those with at least one case that became stable.
        p10_s, median_s, p90_s, longest_s: of all cases of all nights.
        trend: of the nightly medians; None with too few nights.
    """

    kind: str
    cases: int
    p10_s: float
    median_s: float
    p90_s: float
    longest_s: float
    nights: tuple[Night, ...]
    trend: Trend | None
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class CaseTimes:
    """One case over all nights: its times to stable in seconds, nights on which it was slow, its flaps.

    `median_s` and `longest_s` are None where it never became stable.
    """

    case: str
    title: str
    nights: int
    median_s: float | None
    longest_s: float | None
    slow: int
    flaps: int
    flapped: int


def kinds(rows: Sequence[Sequence[HistoryRow]]) -> list[KindTimes]:
    """Every kind of policy with a time, the slowest first."""
    seen: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for index, night in enumerate(rows):
        for row in night:
            if row.stable_s is not None and row.mark in GOOD:
                for kind in row.kinds:
                    seen[kind][index].append(row.stable_s)
    return sorted((_kind(kind, nights) for kind, nights in seen.items()), key=lambda one: (-one.median_s, one.kind))


def _kind(kind: str, seen: dict[int, list[float]]) -> KindTimes:
    nights = tuple(_night(index, sorted(values)) for index, values in sorted(seen.items()))
    medians = [night.median_s for night in nights]
    starts = change_points(medians)
    bounds = [0, *starts, len(medians)]
    middles = [quantile(sorted(medians[a:b]), 0.5) for a, b in pairwise(bounds)]
    every = sorted(value for values in seen.values() for value in values)
    return KindTimes(
        kind=kind,
        cases=len(every),
        p10_s=quantile(every, 0.1),
        median_s=quantile(every, 0.5),
        p90_s=quantile(every, 0.9),
        longest_s=every[-1],
        nights=nights,
        trend=trend(medians),
        levels=tuple(
            Level(nights[start].night, middles[place], middles[place + 1]) for place, start in enumerate(starts)
        ),
    )


def _night(index: int, ordered: Sequence[float]) -> Night:
    return Night(index, len(ordered), quantile(ordered, 0.1), quantile(ordered, 0.5), quantile(ordered, 0.9))


def cases(rows: Sequence[Sequence[HistoryRow]]) -> list[CaseTimes]:
    """Every case, by id."""
    found: dict[str, list[tuple[int, HistoryRow]]] = defaultdict(list)
    for index, night in enumerate(rows):
        for row in night:
            found[row.case].append((index, row))
    return [_case(case, listed) for case, listed in sorted(found.items())]


def _case(case: str, listed: Sequence[tuple[int, HistoryRow]]) -> CaseTimes:
    times = sorted(row.stable_s for _, row in listed if row.stable_s is not None and row.mark in GOOD)
    return CaseTimes(
        case=case,
        title=next((row.title for _, row in reversed(listed) if row.title), ""),
        nights=len({night for night, _ in listed}),
        median_s=quantile(times, 0.5) if times else None,
        longest_s=times[-1] if times else None,
        slow=len({night for night, row in listed if row.slow}),
        flaps=sum(row.flaps for _, row in listed),
        flapped=len({night for night, row in listed if row.flaps}),
    )


def slowest(found: Sequence[CaseTimes]) -> list[CaseTimes]:
    """Those that were slow on most nights, then by their median; at most `MOST`."""
    timed = [one for one in found if one.median_s is not None or one.slow]
    return sorted(timed, key=lambda one: (-one.slow, -(one.median_s or 0.0), one.case))[:MOST]


def flapping(found: Sequence[CaseTimes]) -> list[CaseTimes]:
    """Those with flaps on most nights; at most `MOST`."""
    return sorted((one for one in found if one.flaps), key=lambda one: (-one.flapped, -one.flaps, one.case))[:MOST]
