"""The whole history, for the page and for programs: one part for each cluster, over its last nights."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from reports.history import times
from reports.history.record import last_night
from reports.history.store import HistoryStore, KeptRun
from reports.history.strips import Changes, Strip, changes, strips
from reports.history.times import CaseTimes, KindTimes
from reports.marks import Mark

SCHEMA = "meshproof/history/v1"
NIGHTS = 90
"""How many nights a page shows: the last ones with a run."""


@dataclass(frozen=True)
class NightRuns:
    """A night: the ids of its runs, the controls by mark, and what changed since the night before."""

    date: str
    runs: tuple[str, ...]
    controls: dict[Mark, int]
    changes: Changes


@dataclass(frozen=True)
class ClusterHistory:
    """One cluster.

    Attributes:
        name: kind and context; `title` is that of its last run, for people.
        nights: the oldest first; every index of a night counts in this list.
    """

    name: str
    title: str
    nights: tuple[NightRuns, ...]
    strips: tuple[Strip, ...]
    kinds: tuple[KindTimes, ...]
    slowest: tuple[CaseTimes, ...]
    flapping: tuple[CaseTimes, ...]

    @property
    def bad(self) -> tuple[Strip, ...]:
        """Controls whose last mark is bad."""
        return tuple(strip for strip in self.strips if strip.bad_since is not None)

    @property
    def not_run(self) -> int:
        """How many controls were planned on the last night and not run."""
        return sum(strip.marks[-1] is Mark.NOT_RUN for strip in self.strips)


@dataclass(frozen=True)
class History:
    """Everything that the page says.

    Attributes:
        ahead: runs that are left out as they begin in the future, in words.
    """

    clusters: tuple[ClusterHistory, ...]
    ahead: tuple[str, ...] = ()

    @property
    def bad(self) -> int:
        """How many controls are bad now, in all clusters."""
        return sum(len(cluster.bad) for cluster in self.clusters)

    @property
    def not_run(self) -> int:
        """How many were planned on the last night of their cluster and not run, in all clusters."""
        return sum(cluster.not_run for cluster in self.clusters)


_HISTORY = TypeAdapter(History)
_AHEAD = "the clock of its machine was wrong, and it is left out"


def build(store: HistoryStore, nights: int = NIGHTS) -> History:
    """The history of a file, over the last nights that have a run.

    Raises:
        StoreError: the file cannot be read.
    """
    found: dict[str, dict[str, list[KeptRun]]] = defaultdict(lambda: defaultdict(list))
    runs, until = store.runs(), last_night()
    ahead = [run for run in runs if run.night > until]
    if len(ahead) == len(runs):  # the clock that is wrong is the one here
        ahead = []
    for run in runs:
        if run not in ahead:
            found[run.cluster][run.night].append(run)
    made = tuple(_cluster(store, name, found[name], nights) for name in sorted(found))
    return History(made, tuple(f"{run.run.id} begins on {run.night}: {_AHEAD}" for run in ahead))


def _cluster(store: HistoryStore, name: str, found: dict[str, list[KeptRun]], most: int) -> ClusterHistory:
    dates = sorted(found)[-most:]
    nights = [found[date] for date in dates]
    rows = [[row for run in night for row in store.results(run.id)] for night in nights]
    made = strips(nights, rows)
    totals = [Counter(mark for strip in made if (mark := strip.marks[index])) for index in range(len(nights))]
    changed: list[Changes] = [{}, *(changes(was, now) for was, now in pairwise(nights))]
    every = times.cases(rows)
    return ClusterHistory(
        name=name,
        title=nights[-1][-1].target.title,
        nights=tuple(
            NightRuns(date, tuple(run.run.id for run in night), dict(total), change)
            for date, night, total, change in zip(dates, nights, totals, changed, strict=True)
        ),
        strips=tuple(made),
        kinds=tuple(times.kinds(rows)),
        slowest=tuple(times.slowest(every)),
        flapping=tuple(times.flapping(every)),
    )


def to_json(history: History) -> dict[str, Any]:
    """Plain JSON values."""
    return {"schema": SCHEMA, **_HISTORY.dump_python(history, mode="json")}
