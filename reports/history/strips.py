"""A strip for each control: its worst mark of every night, where it switched, and what changed around it that night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.diff import environment
from reports.history.record import HistoryRow
from reports.history.store import KeptRun
from reports.marks import WORST_FIRST, Mark

BAD = frozenset({"fail", "inconclusive"})
Changes = dict[str, tuple[str, str]]
"""Name → (before, after) of what differs in the cluster or in what conducted the run."""


@dataclass(frozen=True)
class Switch:
    """A night on which a control had another mark than on the last night that has one.

    Attributes:
        night: index of the night; `since` that of the last one before it.
        cases: ids of the cases with the new mark.
        changes: of the cluster and of the run's programs between the two nights.
    """

    night: int
    since: int
    before: str
    after: str
    cases: tuple[str, ...]
    changes: Changes

    @property
    def worse(self) -> bool:
        """Whether the control became bad."""
        return self.after in BAD and self.before not in BAD


@dataclass(frozen=True)
class Strip:
    """One control over all nights.

    Attributes:
        marks: for each night, its mark; None where the night has no record of it.
        switches: in order; a night on which the control was not run is none.
        bad_since: index of the first night of the bad nights that last until now; None where its last mark is good.
        flaps: of each night, in all its cases.
    """

    control: str
    title: str
    marks: tuple[Mark | None, ...]
    switches: tuple[Switch, ...]
    bad_since: int | None
    flaps: tuple[int, ...]

    @property
    def steady(self) -> bool:
        """Whether there is nothing to tell of it."""
        return not self.switches and self.bad_since is None


def strips(nights: Sequence[Sequence[KeptRun]], rows: Sequence[Sequence[HistoryRow]]) -> list[Strip]:
    """Those of one cluster: what is bad now first, then what switched most.

    Args:
        nights: the runs of each night.
        rows: the cases of each night, from all its runs. A case that is there twice keeps its worst mark.
    """
    marks: dict[str, list[Mark | None]] = defaultdict(lambda: [None] * len(nights))
    flaps: dict[str, list[int]] = defaultdict(lambda: [0] * len(nights))
    worst: dict[tuple[str, int], list[str]] = {}
    titles: dict[str, str] = {}
    for index, night in enumerate(rows):
        for row in night:
            control = row.control
            titles[control] = row.title or titles.get(control, "")
            flaps[control][index] += row.flaps
            known = marks[control][index]
            if known is None or WORST_FIRST.index(row.mark) < WORST_FIRST.index(known):
                marks[control][index] = row.mark
                worst[control, index] = []
            if row.mark == marks[control][index]:
                worst[control, index].append(row.case)
    made = []
    for control, listed in marks.items():
        switched = tuple(
            Switch(
                now, was, before, after, tuple(dict.fromkeys(worst[control, now])), changes(nights[was], nights[now])
            )
            for (was, before), (now, after) in pairwise(_judged(listed))
            if before != after
        )
        made.append(Strip(control, titles[control], tuple(listed), switched, _bad_since(listed), tuple(flaps[control])))
    return sorted(made, key=lambda strip: (strip.bad_since is None, -len(strip.switches), strip.control))


def changes(before: Sequence[KeptRun], after: Sequence[KeptRun]) -> Changes:
    """What differs between the last runs of two nights, in the cluster and in what conducted them."""
    was, now = before[-1], after[-1]
    programs = {**was.run.environment, **now.run.environment}
    pairs = {f"run by {name}": (was.run.environment.get(name, ""), now.run.environment.get(name, ""))
             for name in programs}  # fmt: skip
    differ = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return {**environment(was.target, now.target), **differ}


def runs_of(marks: Iterable[Mark | None]) -> list[tuple[int, int, Mark]]:
    """Nights in a row with the same mark: (first, how many, mark); nights without a record are left out."""
    found: list[tuple[int, int, Mark]] = []
    for index, mark in enumerate(marks):
        if mark is None:
            continue
        if found and found[-1][2] == mark and sum(found[-1][:2]) == index:
            found[-1] = (found[-1][0], found[-1][1] + 1, mark)
        else:
            found.append((index, 1, mark))
    return found


def _judged(marks: Sequence[Mark | None]) -> list[tuple[int, Mark]]:
    """The nights on which it came to a verdict."""
    return [(index, mark) for index, mark in enumerate(marks) if mark is not None and mark != Mark.NOT_RUN]


def _bad_since(marks: Sequence[Mark | None]) -> int | None:
    since = None
    for index, mark in reversed(_judged(marks)):
        if mark not in BAD:
            break
        since = index
    return since
