"""What became of the cases since the earlier runs of the same cluster: each change is news once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clients.model.exit_code import ExitCode
from reports import earlier
from reports.gates import RANK
from reports.history import record
from reports.history.store import cluster_of
from reports.marks import Mark
from reports.record.conformance import FILE
from reports.record.model import Report, ReportError

NOT_SENT = "not-notified"
"""File in the folder of a run whose news could not be sent: the next run tells it again."""
MOST_RUNS = 20
"""How many earlier runs of the same cluster are looked at, the newest first."""
_GOOD = (Mark.PASS, Mark.REDUCED)
MOST_FOLDERS = 200
"""Folders among which they are looked for: those of other clusters are there too."""


@dataclass(frozen=True)
class News:
    """Ids of cases, in the order of the report.

    Attributes:
        since: id of the newest earlier run; empty where there is none.
        worse: failed, inconclusive or not run, and better at all times since it was last good, or not there.
        good: passed, and bad before.
        still: bad, and as bad before, since it was last good.
    """

    since: str = ""
    worse: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    still: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.worse or self.good)


def since(report: Report, runs: Path) -> News:
    """What changed since each case was last good in a run below this folder. A skip is no answer, and no change.

    Reports that cannot be read are left out: they must not keep the news of this run back.
    """
    now, worst, newest = report.marks, dict[str, int](), ""
    open_ = {name for name, mark in now.items() if mark in earlier.AGAIN or mark in _GOOD}
    for run, marks in _earlier(report, runs):
        newest = newest or run
        for name in open_ & marks.keys():
            if marks[name] in earlier.AGAIN:
                worst[name] = max(worst.get(name, 0), RANK[marks[name]])
            if marks[name] != Mark.SKIP and worst.get(name, 0) >= _enough(now[name], marks[name]):
                open_.discard(name)
        if not open_:
            break
    bad = {name: mark for name, mark in now.items() if mark in earlier.AGAIN}
    worse = tuple(name for name, mark in bad.items() if RANK[mark] > worst.get(name, 0))
    good = tuple(name for name, mark in now.items() if mark in _GOOD and name in worst)
    return News(newest, worse, good, tuple(name for name in bad if name not in worse))


def _enough(now: str, before: str) -> int:
    """How bad a case must have been, since it was last good, so that earlier runs change nothing.

    A bad one may have been worse before, and its change was news then. One that was good says all.
    """
    return RANK[now] if before in earlier.AGAIN and now in earlier.AGAIN else 0


def _earlier(report: Report, runs: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Id and marks of the earlier runs of the same cluster whose news arrived, the newest first."""
    for folder, found in runs_before(report, runs):
        if not (folder / NOT_SENT).exists():
            yield found.run.id, {row.case: row.mark for row in found.rows}


def runs_before(report: Report, runs: Path) -> Iterator[tuple[Path, record.Record]]:
    """Folder and content of the earlier runs of the same cluster that nothing interrupted, the newest first.

    Reports that cannot be read are left out.
    """
    folders = (file.parent for file in runs.glob(f"*/{FILE}") if not file.parent.is_symlink())
    names = sorted((one for one in folders if one.name != report.run.id), key=lambda one: one.name, reverse=True)
    found_runs = 0
    for folder in names[:MOST_FOLDERS]:
        if found_runs == MOST_RUNS:
            return
        try:
            found = record.parse(folder / FILE, *record.content(folder / FILE))
        except ReportError:
            continue
        if cluster_of(found.target) != cluster_of(report.target):
            continue
        found_runs += 1
        if found.run.started < report.run.started and found.run.exit != ExitCode.INTERRUPTED:
            yield folder, found
