"""What a part has measured so far: a file of JSON lines for each commit, so that an interrupted part goes on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import files
from testbed.store import cache_root, digest

ROOT = Path(__file__).parents[2]
Record = dict[str, Any]
PARTS = ("mutants", "alarms", "faults", "flips")


def commit() -> str:
    """The commit that is checked out, with a digest of what differs from it; `unknown` without Git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    try:
        head, changes = git("rev-parse", "--short=10", "HEAD").strip(), git("diff", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-{digest([changes])[:6]}" if changes else head


def machine() -> str:
    """The machine that the figures are of, in a few words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{len(os.sched_getaffinity(0))} CPUs, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


@dataclass(frozen=True)
class Store:
    """The records of one part at one commit. The first line of the file says what they are of.

    Attributes:
        path: the file; it need not exist.
    """

    path: Path

    @classmethod
    def of(cls, part: str, at: str = "") -> Store:
        """The store of a part at a commit: by default the one that is checked out."""
        return cls(folder() / (at or commit()) / f"{part}.ndjson")

    def start(self, *, resume: bool) -> None:
        """Begin with an empty file, or go on with the one that is there."""
        if resume and self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        about = {"commit": self.path.parent.name, "started": time.strftime("%Y-%m-%d %H:%M"), "machine": machine()}
        self.path.write_text(json.dumps(about) + "\n", encoding="utf-8")

    def forget(self, ids: Collection[str]) -> None:
        """Drop the records of these ids, which are tried again; those of others stay."""
        lines = [self.about(), *(record for record in self.records() if record["id"] not in ids)]
        files.write_text(self.path, "".join(f"{json.dumps(line)}\n" for line in lines))

    def add(self, record: Record) -> None:
        """Append a record, with its commit (as the folder is called); it is on the disk when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**record, "at": self.path.parent.name}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def about(self) -> Record:
        """Commit, start and machine; empty where there is no file."""
        return next(self._lines(), {})

    def records(self) -> list[Record]:
        """Those of each `id`, the newest only, in the order in which the ids came first."""
        lines = self._lines()
        next(lines, None)
        return list({record["id"]: record for record in lines}.values())

    def _lines(self) -> Iterator[Record]:
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                record: Record = json.loads(line)
            except ValueError:
                continue  # the last line of a process that was killed
            yield record


@dataclass(frozen=True)
class MergedStore(Store):
    """The records of one part at several commits.

    Attributes:
        path: the newest file.
        earlier: the others, the oldest first.
        counts: whether a record is of what would be measured today.
    """

    earlier: tuple[Store, ...] = ()
    counts: Callable[[Record], bool] = bool

    def about(self) -> Record:
        """Start and machine of the newest file that there is."""
        return super().about() or next((found for one in reversed(self.earlier) if (found := one.about())), {})

    def records(self) -> list[Record]:
        """Those of each `id` that count, the newest only."""
        return list({record["id"]: record for record in self.known() if self.counts(record)}.values())

    def known(self) -> list[Record]:
        """Those of each `id`, the newest only, whether they count or not."""
        found = [record for one in self.earlier for record in one.records()]
        return list({record["id"]: record for record in (*found, *super().records())}.values())

    def begun(self) -> dict[str, str]:
        """Each commit → when measuring began at it."""
        return {one.path.parent.name: str(one.about().get("started", "")) for one in (*self.earlier, self)}


def write(path: Path, about: Record, records: Iterable[Record]) -> None:
    """Write a file of records, by their ids, or none where there is no record; it is of no one commit."""
    lines = [{**about, "commit": ""}, *sorted(records, key=lambda record: str(record["id"]))]
    if len(lines) > 1:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def _found(part: str) -> list[Store]:
    paths = sorted(folder().glob(f"*/{part}.ndjson"), key=lambda path: path.stat().st_mtime)
    return [Store(path) for path in paths]


def newest(part: str, *, measured: bool = False) -> Store:
    """The store of a part that was written last, whatever its commit.

    Args:
        measured: only one that has a record.
    """
    found = [one for one in _found(part) if one.records() or not measured]
    return found[-1] if found else Store.of(part)


def merged(part: str, counts: Callable[[Record], bool], *before: Store) -> MergedStore:
    """All stores of a part as one.

    Args:
        counts: whether a record is of what would be measured today.
        before: older ones than those of this cache.
    """
    *earlier, last = _found(part) or [Store.of(part)]
    return MergedStore(last.path, (*before, *earlier), counts)


def folder() -> Path:
    """Where all of them are."""
    return cache_root() / "selfcheck"
