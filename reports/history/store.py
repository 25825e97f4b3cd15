"""The one SQLite file of a history. A run goes in whole or not at all, and once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reports.history.record import HistoryRow, Record
from reports.marks import Mark
from reports.record.model import RUN, TARGET, ReportError, RunInfo, TargetInfo

FILE = "history.sqlite"
APPLICATION = 0x6D736870
"""Mark of the file (`PRAGMA application_id`): no other program's file is ever written to."""
VERSION = 2
"""Version 1 did not know of which cluster a run was that had been removed for its age."""
BUSY_S = 30.0
"""How long to wait for another process that writes the same file, in seconds."""
TABLES = """
CREATE TABLE run (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, started TEXT NOT NULL,
  night TEXT NOT NULL, cluster TEXT NOT NULL, about TEXT NOT NULL, target TEXT NOT NULL);
CREATE TABLE subject (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, control TEXT NOT NULL, title TEXT NOT NULL);
CREATE TABLE kinds (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE result (run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, subject INTEGER NOT NULL,
  mark TEXT NOT NULL, flaps INTEGER NOT NULL, stable_s REAL, slow INTEGER NOT NULL, kinds INTEGER NOT NULL,
  PRIMARY KEY (run, subject)) WITHOUT ROWID;
CREATE TABLE seen (digest TEXT PRIMARY KEY, night TEXT NOT NULL, cluster TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
"""
_FROM_1 = """
ALTER TABLE seen ADD COLUMN cluster TEXT NOT NULL DEFAULT '';
UPDATE seen SET cluster = coalesce((SELECT run.cluster FROM run WHERE run.digest = seen.digest), '');
"""


class StoreError(ReportError):
    """The file of a history cannot be used; what it holds is unchanged."""


@dataclass(frozen=True)
class KeptRun:
    """A run as the file has it. `cluster` tells the runs of one cluster from those of others."""

    id: int
    cluster: str
    night: str
    started: str
    run: RunInfo
    target: TargetInfo


def cluster_of(target: TargetInfo) -> str:
    """Kind, and its given name, context or the mark of its uid: what stays the same from night to night."""
    return f"{target.kind} {target.cluster or target.context or target.mark_of_uid}".strip()


class HistoryStore:
    """An open history; a context manager.

    Raises:
        StoreError: the file is another program's or of another version, damaged, or cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._db = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"cannot use {file}: {error}", "name another file with --file") from None
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> HistoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _open(self) -> None:
        try:
            mark = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        except sqlite3.OperationalError as error:
            raise StoreError(f"cannot use {self.file}: {error}", "name another file with --file") from None
        except sqlite3.DatabaseError:
            raise self._foreign() from None
        if empty and not mark and not version:
            self._make(TABLES)
        elif mark != APPLICATION:
            raise self._foreign()
        elif version == 1:
            self._make(_FROM_1)
        elif version != VERSION:
            raise StoreError(
                f"{self.file} is a history of version {version}, not {VERSION}",
                "use the meshproof that wrote it, or name another file with --file",
            )
        with self._errors():
            self._db.execute("PRAGMA foreign_keys = ON")

    def _make(self, statements: str) -> None:
        """Bring the file to this version, whole or not at all."""
        with self._transaction():
            for statement in filter(None, map(str.strip, statements.split(";"))):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION}")
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _foreign(self) -> StoreError:
        return StoreError(f"{self.file} is no history of meshproof, so it is left alone", "name another with --file")

    def knows(self, digest: str, oldest: Mapping[str, str]) -> bool:
        """Whether a file of this content is there, or was removed for its age and would be too old again.

        Args:
            oldest: cluster → the first night to keep; of a run that version 1 has removed the cluster is not known.
        """
        with self._errors():
            found = self._db.execute("SELECT night, cluster FROM seen WHERE digest = ?", (digest,)).fetchone()
            there = self._db.execute("SELECT 1 FROM run WHERE digest = ?", (digest,)).fetchone()
        if there or not found:
            return bool(there)
        night, cluster = found
        return bool(night < (oldest.get(cluster, "") if cluster else max(oldest.values(), default="")))

    def add(self, record: Record) -> bool:
        """Keep a run, in one transaction; False where the file has it with more cases already.

        A run whose report was written again (it went on, or its journal was read again) replaces its earlier record.
        """
        with self._transaction():
            cluster = cluster_of(record.target)
            seen = (record.digest, record.night, cluster)
            self._db.execute("INSERT OR REPLACE INTO seen (digest, night, cluster) VALUES (?, ?, ?)", seen)
            name = self._name(record.run.id, cluster)
            old = self._db.execute(
                "SELECT run.id, (SELECT count(*) FROM result WHERE run = run.id AND mark != 'not-run') FROM run "
                "WHERE name = ?",
                (name,),
            ).fetchone()
            if old and old[1] > sum(row.mark != Mark.NOT_RUN for row in record.rows):
                return False
            if old:
                self._db.execute("DELETE FROM run WHERE id = ?", (old[0],))
            about = RunInfo(record.run.id, record.started, "", exit=record.run.exit, environment=record.run.environment)
            run = self._db.execute(
                "INSERT INTO run (name, digest, started, night, cluster, about, target) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (name, record.digest, record.started, record.night, cluster,
                 RUN.dump_json(about).decode(), TARGET.dump_json(record.target).decode()),
            ).lastrowid  # fmt: skip
            self._add_rows(run or 0, record)
        return True

    def _name(self, run: str, cluster: str) -> str:
        """What the run is kept by: its id, with the cluster where one of another cluster has it.

        An id has a second and four digits, which two clusters of a fleet may share.
        """
        whose = self._db.execute("SELECT cluster FROM run WHERE name = ?", (run,)).fetchone()
        return run if not whose or whose[0] == cluster else f"{run} {cluster}"

    def _add_rows(self, run: int, record: Record) -> None:
        self._db.executemany(
            "INSERT INTO subject (name, control, title) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "title = excluded.title WHERE excluded.title NOT IN ('', title)",
            ((row.case, row.control, row.title) for row in record.rows),
        )
        kinds = {row.kinds: json.dumps(row.kinds) for row in record.rows}
        self._db.executemany("INSERT OR IGNORE INTO kinds (names) VALUES (?)", ((names,) for names in kinds.values()))
        subjects = dict(self._db.execute("SELECT name, id FROM subject"))
        known = dict(self._db.execute("SELECT names, id FROM kinds"))
        self._db.executemany(
            "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((run, subjects[row.case], row.mark, row.flaps, row.stable_s, row.slow, known[kinds[row.kinds]])
             for row in record.rows),
        )  # fmt: skip

    def newest(self, until: str) -> dict[str, str]:
        """Cluster → its last night up to this one."""
        with self._errors():
            rows = self._db.execute("SELECT cluster, max(night) FROM run WHERE night <= ? GROUP BY cluster", (until,))
            return dict(rows.fetchall())

    def remove(self, oldest: Mapping[str, str]) -> int:
        """Remove the runs of each cluster before its night; returns how many."""
        with self._transaction():
            command = "DELETE FROM run WHERE cluster = ? AND night < ?"
            return sum(self._db.execute(command, pair).rowcount for pair in oldest.items())

    def runs(self) -> list[KeptRun]:
        """Every run, the oldest first."""
        with self._errors():
            rows = self._db.execute("SELECT id, cluster, night, started, about, target FROM run ORDER BY started, name")
            return [
                KeptRun(number, cluster, night, started, RUN.validate_json(about), TARGET.validate_json(target))
                for number, cluster, night, started, about, target in rows
            ]

    def results(self, run: int) -> Iterator[HistoryRow]:
        """What one run had of every case."""
        with self._errors():
            for case, control, title, mark, flaps, stable_s, slow, kinds in self._db.execute(
                "SELECT subject.name, control, title, mark, flaps, stable_s, slow, kinds.names FROM result "
                "JOIN subject ON subject.id = subject JOIN kinds ON kinds.id = kinds WHERE run = ?",
                (run,),
            ):
                yield HistoryRow(
                    case, control, title, Mark(mark), flaps, stable_s, bool(slow), tuple(json.loads(kinds))
                )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"cannot use {self.file}: {error}", "what it held before is unchanged") from None
