"""`conformance.json`: the one source of every other report. Journal → report → file, and back."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from clients.model.evidence import Evidence, Verdict
from clients.model.wrong_value import in_words
from reports import files
from reports.record import objects, schema1, series
from reports.record.about import ABOUT, About
from reports.record.coverage import coverage
from reports.record.journal import Contents
from reports.record.model import EVIDENCE, RUN, SCHEMA, SCHEMA_2, TARGET, Report, ReportError, RunInfo, TargetInfo

FILE = "conformance.json"
_FAMILY = SCHEMA.rpartition("v")[0]
READABLE = (SCHEMA, SCHEMA_2, schema1.SCHEMA)
"""Schemas that `load` reads."""

_NAMES = TypeAdapter(tuple[str, ...])
_ABOUT = TypeAdapter(About | None)
_NUMBER = TypeAdapter(int)
T = TypeVar("T")
_SEVERITY = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.SKIP)


def build(contents: Contents, run: RunInfo | None = None, target: TargetInfo | None = None) -> Report:
    """The report of a journal; `run` and `target` override what the journal says of them.

    A case that was recorded twice keeps its worst verdict: a later pass hides nothing.
    """
    run = run or contents.run or RunInfo(id="unknown", started="", command="")
    kept: dict[str, tuple[str, Evidence]] = {}
    for recorded, case in contents.cases:
        known = kept.get(case.id)
        if known is None or _SEVERITY.index(case.verdict) <= _SEVERITY.index(known[1].verdict):
            kept[case.id] = (recorded, case)
    return Report(
        run=run,
        target=target or contents.target or TargetInfo(kind="unknown"),
        cases=tuple(kept[key][1] for key in _in_order(kept, run.planned)),
        recorded={key: recorded for key, (recorded, _) in kept.items()},
        not_run=tuple(key for key in dict.fromkeys(run.planned) if key not in kept),
        damaged=contents.damaged,
        about=contents.about,
    )


def _in_order(ids: Iterable[str], planned: tuple[str, ...]) -> list[str]:
    """As planned; what was not planned comes last, by name with numbers as numbers."""
    place = {key: index for index, key in enumerate(planned)}
    return sorted(ids, key=lambda key: (place.get(key, len(place)), _natural(key)))


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def to_json(report: Report) -> dict[str, Any]:
    """Plain JSON values. In a case `attempts` is their number, `timeline` lists them, `applied` has keys of objects."""
    table: objects.Table = {}
    cases = [_case_to_json(report, case, table) for case in report.cases]
    return {**_head(report), "cases": cases, "objects": table}


def _head(report: Report) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run": RUN.dump_python(report.run, mode="json"),
        "target": TARGET.dump_python(report.target, mode="json"),
        "totals": report.totals,
        "not_run": list(report.not_run),
        "damaged": report.damaged,
        "coverage": [row.to_json() for row in coverage(report)],
        "about": None if report.about is None else ABOUT.dump_python(report.about, mode="json"),
    }


def _case_to_json(report: Report, case: Evidence, table: objects.Table) -> dict[str, Any]:
    data = objects.pack(EVIDENCE.dump_python(case, mode="json"), table)
    timeline = series.fold(data.pop("attempts"))
    recorded = report.recorded.get(case.id, "")
    return {**data, "recorded": recorded, "attempts": len(case.attempts), "timeline": timeline}


def save(report: Report, path: Path) -> None:
    """Write the file at once or not at all, a case a line; it is never in memory as a whole.

    Raises:
        OSError: it cannot be written.
    """
    with files.whole(path) as file:
        file.writelines(_lines(report))


def _lines(report: Report) -> Iterator[bytes]:
    table: objects.Table = {}
    between = b"{\n"
    for name, value in _head(report).items():
        yield between + _field(name, value)
        between = b",\n"
    yield between + b'"cases": ['
    between = b"\n"
    for case in report.cases:
        yield between + _compact(_case_to_json(report, case, table))
        between = b",\n"
    yield b'\n],\n"objects": {'
    between = b"\n"
    for key, item in table.items():
        yield between + _field(key, item)
        between = b",\n"
    yield b"\n}\n}\n"


def _field(name: str, value: Any) -> bytes:
    return _compact(name) + b": " + _compact(value)


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def load(path: Path) -> Report:
    """The report of a file, or of the run whose folder `path` is.

    Raises:
        ReportError: no such file, not JSON, another schema, or a field of the wrong kind; it names the field.
    """
    file = path / FILE if path.is_dir() and path.name != FILE else path
    try:
        data = files.json_of(file.read_bytes())
    except OSError as error:
        raise ReportError(
            f"cannot read {file}: {error.strerror}", "name a conformance.json or a run's folder"
        ) from None
    except ValueError as error:
        raise ReportError(f"{file} is not JSON: {error}", "name the conformance.json of a run") from None
    found = data.get("schema") if isinstance(data, dict) else None
    if found not in READABLE:
        newer = isinstance(found, str) and found.startswith(_FAMILY)
        hint = (
            "read it with the version that wrote it, or a newer one" if newer else "name the conformance.json of a run"
        )
        raise ReportError(f"{file} has schema {found!r}, not {SCHEMA!r}", hint)
    try:
        return from_json(data)
    except ReportError as error:
        raise ReportError(f"{file}: {error.message}", "write it again with `meshproof report`") from None


def target_of(head: bytes) -> TargetInfo | None:
    """The target that the beginning of a file states; None where it does not show it, as in files of older releases."""
    line = re.search(rb'^"target": (\{.*\}),$', head, re.MULTILINE)
    try:
        return TARGET.validate_python(files.json_of(line[1])) if line else None
    except ValueError:
        return None


def from_json(data: dict[str, Any]) -> Report:
    """The report that `to_json` wrote, of this schema or of those before; unknown fields are ignored.

    Raises:
        ReportError: a field is missing or of the wrong kind; it names the field.
    """
    rows = data.get("cases")
    if not isinstance(rows, list):
        raise ReportError("cases is not a list")
    table = data.get("objects", {})
    if not isinstance(table, dict):
        raise ReportError("objects is not an object")
    cases = tuple(_case_from_json(row, index, table) for index, row in enumerate(rows))
    if repeated := sorted(key for key, number in Counter(case.id for case in cases).items() if number > 1):
        raise ReportError(f"case {repeated[0]} is there twice")
    return Report(
        run=_valid(RUN, data.get("run"), "run"),
        target=_valid(TARGET, data.get("target"), "target"),
        cases=cases,
        recorded={case.id: str(row.get("recorded", "")) for case, row in zip(cases, rows, strict=True)},
        not_run=_valid(_NAMES, data.get("not_run", ()), "not_run"),
        damaged=_valid(_NUMBER, data.get("damaged", 0), "damaged"),
        about=_valid(_ABOUT, data.get("about"), "about"),
    )


def _case_from_json(row: Any, index: int, table: dict[str, Any]) -> Evidence:
    if not isinstance(row, dict):
        raise ReportError(f"cases[{index}] is not an object")
    try:
        data = {**objects.unpack(row, table), "attempts": series.unfold(row.get("timeline", []))}
    except ReportError as error:
        raise ReportError(f"cases[{index}].{error.message}") from None
    return _valid(EVIDENCE, schema1.upgraded(data) if schema1.is_older(data) else data, f"cases[{index}]")


def _valid(adapter: TypeAdapter[T], value: Any, name: str) -> T:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = ("timeline" if part == "attempts" else part for part in first["loc"])
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
        raise ReportError(f"{name}{field}: {in_words(first)}") from None
