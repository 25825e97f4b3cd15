"""A folder of runs → the history's file. A file that cannot be read is named, and the others go in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from reports.history import record
from reports.history.store import HistoryStore, StoreError
from reports.record.conformance import FILE
from reports.record.model import ReportError


@dataclass(frozen=True)
class Fed:
    """What came of an import.

    Attributes:
        added: runs that are new or were written again.
        there: files whose run is there already, or was removed for its age.
        removed: runs that were older than what is kept.
        problems: one line for each file that did not go in.
        ahead: a line for each run that the page leaves out, as it begins in the future.
    """

    added: int = 0
    there: int = 0
    removed: int = 0
    problems: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()


def feed(store: HistoryStore, folder: Path, keep_days: int | None = None) -> Fed:
    """Import every `conformance.json` below a folder, then remove what is too old.

    Args:
        keep_days: nights to keep of each cluster, counted from its newest run and not from today: where the nightly
            run no longer runs, its history stays. None keeps all.

    Raises:
        StoreError: the history cannot be read or written.
        ReportError: the folder cannot be read.
    """
    added, there = 0, 0
    problems: list[str] = []
    for file in reports_below(folder, problems.append):
        try:
            data, digest = record.content(file)
            if store.knows(digest, _oldest(store, keep_days)):
                there += 1
                continue
            read = record.parse(file, data, digest)
        except StoreError:
            raise
        except ReportError as error:
            problems.append(str(error))
            continue
        if store.add(read):
            added += 1
        else:
            there += 1
    oldest = _oldest(store, keep_days)
    return Fed(added, there, store.remove(oldest) if oldest else 0, tuple(problems))


def unreadable(problems: Sequence[str]) -> ReportError:
    """The error where no report can be read; each problem has its own hint."""
    more = f" (and {len(problems) - 1} more that cannot be read)" if len(problems) > 1 else ""
    return ReportError(f"no report can be read: {problems[0]}{more}")


def reports_below(folder: Path, problem: Callable[[str], None]) -> Iterator[Path]:
    """Every `conformance.json` of a folder, by path; links such as `latest` are not followed.

    Raises:
        ReportError: the folder itself cannot be read.
    """
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise ReportError(f"cannot read {folder}: {error.strerror}", "name the folder of your runs") from None

    def unreadable(error: OSError) -> None:
        problem(f"cannot read {error.filename}: {error.strerror}")

    for here, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        if FILE in files:
            yield Path(here) / FILE


def _oldest(store: HistoryStore, keep_days: int | None) -> dict[str, str]:
    """Cluster → the first night to keep; without those of which all are.

    A run that begins in the future was made by a machine whose clock was wrong: it must not remove all others.
    """
    if keep_days is None:
        return {}
    newest = {name: date.fromisoformat(night) for name, night in store.newest(record.last_night()).items()}
    return {
        name: (last - timedelta(days=keep_days - 1)).isoformat()
        for name, last in newest.items()
        if keep_days <= last.toordinal()
    }
