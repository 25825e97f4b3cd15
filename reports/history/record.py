"""A `conformance.json` of any age → what a history keeps of the run. Only what is kept is looked at, for speed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from clients.model.evidence import Evidence, Grade, Verdict
from clients.model.known import KnownFailure
from clients.model.wrong_value import in_words
from reports import files
from reports.kinds import policy_kinds
from reports.marks import Mark, mark
from reports.record import conformance, schema1
from reports.record.conformance import READABLE
from reports.record.model import SCHEMA, ReportError, RunInfo, TargetInfo

HINT = "write it again with `meshproof report`"
MOST_S, MOST_FLAPS = 1e9, 10**9
"""What a case may have: a time and a number beyond these are damage, and would not fit into a file or a picture."""


@dataclass(frozen=True)
class HistoryRow:
    """What is kept of one case.

    Attributes:
        mark: its mark.
        flaps: how often an unexpected outcome followed the expected one.
        stable_s: seconds from the change to the last confirmation; None where it was never stable.
        slow: it used more than 75 % of its budget.
        kinds: of the policies that were applied for it, sorted.
    """

    case: str
    control: str
    title: str
    mark: Mark
    flaps: int = 0
    stable_s: float | None = None
    slow: bool = False
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What is kept of one run.

    Attributes:
        digest: SHA-256 of the file, in hex digits.
        started: in UTC, ISO 8601.
        night: the day of `started`.
        damaged: records of its journal that could not be read.
    """

    digest: str
    run: RunInfo
    target: TargetInfo
    started: str
    night: str
    rows: tuple[HistoryRow, ...]
    damaged: int = 0


@dataclass(frozen=True)
class _Object:
    kind: str


@dataclass(frozen=True)
class _Case:
    """The fields of a case that a history needs; the adapter ignores the others."""

    id: str
    control: str
    verdict: Verdict
    title: str = ""
    grade: Grade | None = None
    known: KnownFailure | None = None
    flaps: Annotated[int, Field(ge=0, le=MOST_FLAPS)] = 0
    time_to_stable_s: Annotated[float, Field(ge=-MOST_S, le=MOST_S, allow_inf_nan=False)] | None = None
    slow: bool = False
    applied: tuple[_Object | str, ...] = ()


@dataclass(frozen=True)
class _RunFile:
    schema: str
    run: RunInfo
    target: TargetInfo
    cases: tuple[_Case, ...]
    not_run: tuple[str, ...] = ()
    damaged: int = 0
    objects: dict[str, _Object] = field(default_factory=dict)


_FILE = TypeAdapter(_RunFile)


def last_night() -> str:
    """The last night that a run may have begun on: a later one is of a machine whose clock is wrong."""
    return (datetime.now(UTC) + timedelta(days=1)).date().isoformat()


def content(file: Path) -> tuple[bytes, str]:
    """The bytes of a file, and their SHA-256.

    Raises:
        ReportError: it cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        hint = "name the folder of a run, or its conformance.json"
        raise ReportError(f"cannot read {file}: {error.strerror}", hint) from None
    return data, hashlib.sha256(data).hexdigest()


def parse(file: Path, data: bytes, digest: str) -> Record:
    """What a history keeps of these bytes.

    Raises:
        ReportError: not JSON, another schema, a field of the wrong kind, or a run without a time; it names the file.
    """
    found = _validated(file, data)
    if found.schema not in READABLE:
        raise ReportError(f"{file} has schema {found.schema!r}, not {SCHEMA!r}", HINT)
    cases: tuple[_Case | Evidence, ...] = found.cases
    if found.schema == schema1.SCHEMA:  # grades are in its prose, so it takes the long way
        try:
            cases = conformance.from_json(files.json_of(_whole_characters(data))).cases
        except ReportError as error:
            raise ReportError(f"{file}: {error.message}", HINT) from None
    try:
        started = datetime.fromisoformat(found.run.started).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ReportError(f"{file}: run.started is {found.run.started!r}, which is no time", HINT) from None
    text = started.isoformat(timespec="seconds").replace("+00:00", "Z")
    rows = {row.case: row for row in _rows(cases, found.objects, bool(found.run.interrupted))}
    if len(rows) < len(cases):
        raise ReportError(f"{file}: a case is there twice", HINT)
    for name in found.not_run:
        rows.setdefault(name, HistoryRow(name, name.partition("[")[0], "", Mark.NOT_RUN))
    return Record(digest, found.run, found.target, text, text[:10], tuple(rows.values()), found.damaged)


def _validated(file: Path, data: bytes) -> _RunFile:
    """The file's fields. What only Python's reader takes (another encoding, half a character) is read by it, slowly."""
    try:
        try:
            return _FILE.validate_json(data)
        except ValidationError as error:
            if error.errors(include_url=False)[0]["type"] != "json_invalid":
                raise
            return _FILE.validate_json(_whole_characters(data))
    except ValidationError as error:
        raise ReportError(f"{file}{_why(data, error)}", HINT) from None
    except ValueError as damage:
        raise ReportError(f"{file} is not JSON: {damage}", HINT) from None


def _whole_characters(data: bytes) -> bytes:
    """The same JSON in UTF-8, with `?` in place of half a character, which neither a history nor a page can hold."""
    return json.dumps(files.json_of(data), ensure_ascii=False).encode(errors="replace")


def _rows(cases: Iterable[_Case | Evidence], objects: Mapping[str, _Object], interrupted: bool) -> Iterable[HistoryRow]:
    """An object of a case is itself, or a key of `objects`; one that is missing there has no kind.

    What an interrupted run left undecided was not run: nothing distinguishes it from what the interruption cut off.
    """
    for case in cases:
        judged = mark(case)
        if interrupted and judged is Mark.INCONCLUSIVE:
            judged = Mark.NOT_RUN
        applied = (objects.get(item) if isinstance(item, str) else item for item in case.applied)
        kinds = policy_kinds(item for item in applied if item)
        yield HistoryRow(
            case.id, case.control, case.title, judged, case.flaps, case.time_to_stable_s, case.slow, kinds
        )  # fmt: skip


def _why(data: bytes, error: ValidationError) -> str:
    """What is wrong with a file that is no report: its form, its schema or the first wrong field."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as damage:
        return f" is not JSON: {damage}"
    schema = whole.get("schema") if isinstance(whole, dict) else None
    if schema not in READABLE:
        return f" has schema {schema!r}, not {SCHEMA!r}"
    first = error.errors(include_url=False)[0]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    return f": {field}: {in_words(first)}"
