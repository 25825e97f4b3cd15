"""The newest report of each cluster below some folders → a matrix of clusters and controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.model.exit_code import ExitCode
from reports import gates
from reports.attempts import one_line
from reports.history import record
from reports.history.feed import reports_below, unreadable
from reports.history.record import Record, last_night
from reports.history.store import cluster_of
from reports.marks import WORST_FIRST, Mark
from reports.record.model import ReportError

SCHEMA = "meshproof/fleet/v1"
BAD = (Mark.FAIL, Mark.INCONCLUSIVE, Mark.NOT_RUN)
"""Marks that make a cluster or a control worse than another."""
_CODE_ORDER = (ExitCode.FAILED, ExitCode.UNKNOWN, ExitCode.OK)


@dataclass(frozen=True)
class ClusterRow:
    """One cluster, by its newest run.

    Attributes:
        name: kind and context, after the folder that its runs are in where that is not one of those that were named.
        title: for people.
        code: by the gates of the run: 0 it conforms, 1 it does not, 3 not all is known.
        totals: mark → number of cases.
        marks: control → worst mark of its cases.
        file: its `conformance.json`.
    """

    name: str
    title: str
    run: str
    started: str
    code: int
    totals: dict[Mark, int]
    marks: dict[str, Mark]
    file: Path


@dataclass(frozen=True)
class Fleet:
    """The matrix.

    Attributes:
        clusters: the worst first.
        controls: of all clusters, the worst first.
        problems: a line for each report that could not be read.
    """

    clusters: tuple[ClusterRow, ...]
    controls: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The worst of the clusters."""
        codes = {cluster.code for cluster in self.clusters}
        return next((code for code in _CODE_ORDER if code in codes), ExitCode.UNKNOWN)

    @property
    def uneven(self) -> tuple[str, ...]:
        """Controls that did not pass on every cluster that proves them, the worst first."""
        good = {Mark.PASS, Mark.REDUCED, Mark.SKIP}
        return tuple(
            name for name in self.controls if any(one.marks.get(name, Mark.PASS) not in good for one in self.clusters)
        )


def merge(folders: Sequence[Path]) -> Fleet:
    """The matrix of every `conformance.json` below these folders; a report that cannot be read is named.

    Raises:
        ReportError: a folder cannot be read, or there is no report in any.
    """
    problems: list[str] = []
    newest: dict[tuple[str, str, str], ClusterRow] = {}
    seen: set[str] = set()
    until = last_night()
    for folder in folders:
        for key, row in _rows(folder, seen, problems):
            if key not in newest or _later(row, newest[key], until):
                newest[key] = row
    if not newest and problems:
        raise unreadable(problems)
    if not newest:
        raise ReportError(
            f"there is no conformance.json below {', '.join(map(str, folders))}", "name the folders of your runs"
        )
    clusters = sorted(newest.values(), key=lambda one: (_CODE_ORDER.index(one.code), _badness(one.totals), one.name))
    return Fleet(tuple(clusters), _controls(clusters), tuple(problems))


def _later(one: ClusterRow, other: ClusterRow, until: str) -> bool:
    """Whether a run is newer; one that begins in the future, by a wrong clock, is not as long as there is another."""
    ahead, its = one.started[:10] > until, other.started[:10] > until
    return one.started > other.started if ahead == its else its


def _rows(folder: Path, seen: set[str], problems: list[str]) -> Iterator[tuple[tuple[str, str, str], ClusterRow]]:
    """Of each report that is not among those `seen`: a copy of a run, elsewhere, is no other cluster."""
    for file in reports_below(folder, problems.append):
        try:
            data, digest = record.content(file)
            if digest in seen:
                continue
            found = record.parse(file, data, digest)
            seen.add(digest)  # of a report that can be read: each other one is named
        except ReportError as error:
            problems.append(str(error))
            continue
        place = _place(folder, file, found)
        name = one_line(" ".join(filter(None, (place, cluster_of(found.target)))))
        yield (place, cluster_of(found.target), found.target.lasting_server), _row(name, file, found)


def _place(folder: Path, file: Path, found: Record) -> str:
    """The folders between the named one and that of the run.

    In a pod every cluster is `live`, without a context: then only these tell clusters apart.
    """
    parts = file.parent.relative_to(folder).parts
    return "/".join(parts[:-1] if parts and parts[-1] == found.run.id else parts)


def _row(name: str, file: Path, found: Record) -> ClusterRow:
    marks: dict[str, Mark] = {}
    for row in found.rows:
        before = marks.get(row.control, row.mark)
        marks[row.control] = min(before, row.mark, key=WORST_FIRST.index)
    judged = gates.judge({row.case: row.mark for row in found.rows}, found.run.gates, damaged=found.damaged)
    totals = Counter(row.mark for row in found.rows)
    return ClusterRow(
        name, found.target.title, found.run.id, found.started, judged.code, dict(totals), marks, file
    )  # fmt: skip


def _controls(clusters: Iterable[ClusterRow]) -> tuple[str, ...]:
    counts: dict[str, Counter[Mark]] = {}
    for cluster in clusters:
        for control, mark in cluster.marks.items():
            counts.setdefault(control, Counter())[mark] += 1
    return tuple(sorted(counts, key=lambda name: (_badness(counts[name]), name)))


def _badness(numbers: dict[Mark, int]) -> tuple[int, ...]:
    """Sorts what has most of the worst mark first."""
    return tuple(-numbers.get(mark, 0) for mark in BAD)


def to_json(fleet: Fleet) -> dict[str, Any]:
    """Plain JSON values: a control has a mark for each cluster, in their order; null where it was not planned."""
    return {
        "schema": SCHEMA,
        "clusters": [
            {
                "name": one.name,
                "title": one.title,
                "run": one.run,
                "started": one.started,
                "exit": one.code,
                "totals": {mark: one.totals.get(mark, 0) for mark in WORST_FIRST},
                "report": str(one.file),
            }
            for one in fleet.clusters
        ],
        "controls": list(fleet.controls),
        "marks": {name: [one.marks.get(name) for one in fleet.clusters] for name in fleet.controls},
        "problems": list(fleet.problems),
    }
