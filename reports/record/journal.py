"""Append-only NDJSON of what happened, written while a run goes on, so that reports survive `kill -9`.

One object a line: `{"type": …, "recorded": time, "data": {…}}`; the types are `run`, `target`, `about`, `object` and
`case`. An object that was applied is recorded before the first case that names its key. Journals of releases before
that, and before `meshproof/conformance/v2`, are read too. When all reports of a run are written, its journal is
compressed (`reports.record.packed`); readers name it `journal.ndjson` all the same.
"""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clients.model.evidence import Evidence
from reports import files
from reports.record import objects, packed, schema1
from reports.record.about import ABOUT, About
from reports.record.model import EVIDENCE, RUN, TARGET, ReportError, RunInfo, TargetInfo

FILE = "journal.ndjson"


@dataclass(frozen=True)
class Contents:
    """What a journal says.

    Attributes:
        run: as last written; None when it never was.
        target: as last written; None when it never was.
        cases: every readable case with the time of its record, in the order of writing.
        damaged: lines that could not be read.
        about: as last written; None when it never was.
    """

    run: RunInfo | None = None
    target: TargetInfo | None = None
    cases: tuple[tuple[str, Evidence], ...] = ()
    damaged: int = 0
    about: About | None = None


class Journal:
    """Writer. Each record is one `write` in append mode, so records of several processes do not mix.

    Nothing is flushed to the disk by force: what was written survives the end of the process, if not of the machine.
    Every method raises ReportError where the record cannot be written whole; what was written before is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._objects: objects.Table = {}

    def run(self, run: RunInfo) -> None:
        """Record what is known of the run; may be called again when more is known."""
        self._append(("run", RUN.dump_python(run, mode="json")))

    def target(self, target: TargetInfo) -> None:
        """Record what is known of the target; may be called again."""
        self._append(("target", TARGET.dump_python(target, mode="json")))

    def about(self, about: About) -> None:
        """Record all controls, what they are evidence for, and the provenance."""
        self._append(("about", ABOUT.dump_python(about, mode="json")))

    def case(self, evidence: Evidence) -> None:
        """Record a case, after the objects of it that this writer has not recorded yet.

        Fields that have their default value are left out; the list of findings shows that the case is no older one.
        """
        table = dict(self._objects)
        data = {"findings": [], **EVIDENCE.dump_python(evidence, mode="json", exclude_defaults=True)}
        case = objects.pack(data, table)
        new = [("object", {"key": key, **item}) for key, item in table.items() if key not in self._objects]
        self._append(*new, ("case", case))
        self._objects = table

    def _append(self, *records: tuple[str, Any]) -> None:
        lines = (_line(kind, data) for kind, data in records)
        try:
            self._write(b"\n".join(lines))
        except OSError as error:
            raise unwritable(self.path, error) from None

    def _write(self, lines: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        packed.unpack(self.path)  # of a run whose reports were written already
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            whole = (b"\n" if _is_torn(descriptor) else b"") + lines + b"\n"
            if os.write(descriptor, whole) < len(whole):  # a disk that is nearly full takes a part, without an error
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)


def _line(kind: str, data: Any) -> bytes:
    record = {"type": kind, "recorded": now(), "data": data}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def unwritable(path: Path, error: OSError) -> ReportError:
    """The error for a user whose report folder takes no more."""
    message = f"the report cannot be written to {path}: {error.strerror or error}"
    return ReportError(message, "what was written before is kept; free space, or choose another folder by --out")


def _is_torn(descriptor: int) -> bool:
    """Whether the last line has no end: the next record must not be glued to it."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def read(path: Path) -> Contents:
    """Whatever is readable, compressed or not. A line that is torn or of an unknown shape is left out and counted.

    Raises:
        ReportError: there is no such file, or it cannot be opened.
    """
    try:
        content, whole = packed.content(path)
    except OSError as error:
        raise ReportError(f"cannot read journal {path}: {error.strerror}", "name the folder of a run") from None
    run: RunInfo | None = None
    target: TargetInfo | None = None
    about: About | None = None
    cases: list[tuple[str, Evidence]] = []
    table: objects.Table = {}
    damaged = 0 if whole else 1
    for line in filter(None, content.split(b"\n")):
        try:
            record = files.json_of(line)
            match record["type"]:
                case "run":
                    run = RUN.validate_python(record["data"])
                case "target":
                    target = TARGET.validate_python(record["data"])
                case "about":
                    about = ABOUT.validate_python(record["data"])
                case "object":
                    table[record["data"]["key"]] = record["data"]
                case "case":
                    data = objects.unpack(record["data"], table)
                    current = schema1.upgraded(data) if schema1.is_older(data) else data
                    cases.append((str(record["recorded"]), EVIDENCE.validate_python(current)))
                case _:
                    damaged += 1
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError, ReportError):
            damaged += 1
    return Contents(run, target, tuple(cases), damaged, about)


def now() -> str:
    """The present as reports write it: `2026-11-22T16:13:05.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
