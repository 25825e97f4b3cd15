"""Attempts as `conformance.json` has them: what probes in a row have in common is written once.

A run sends tens of thousands of probes, and most of a case's have the same answer. What older files have, an object for
each attempt, is read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from reports.record.model import ReportError

OF_EACH = ("at_s", "request_id", "local", "ordinary")
"""Fields that are lists, with a value of each attempt; the others are those of all attempts of the entry."""
_MICROSECONDS = 6
"""Digits of times: clocks of machines are no finer."""


def fold(attempts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Attempts as plain values, in order → entries."""
    rows = [{**one, "at_s": round(one["at_s"], _MICROSECONDS)} for one in attempts]
    return [_entry(list(group)) for _, group in groupby(rows, key=_common)]


def _entry(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return _common(rows[0]) | {name: [row[name] for row in rows] for name in OF_EACH}


def _common(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OF_EACH}


def unfold(timeline: Any) -> Any:
    """Attempts as plain values from the entries; what is no list of entries is left for the adapter.

    Raises:
        ReportError: the lists of an entry are not of one length.
    """
    if not isinstance(timeline, list):
        return timeline
    return [row for number, entry in enumerate(timeline) for row in _rows(entry, number)]


def _rows(entry: Any, number: int) -> Iterator[Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("at_s"), list):
        yield entry
        return
    columns = [entry.get(name) for name in OF_EACH]
    if not all(isinstance(column, list) and len(column) == len(entry["at_s"]) for column in columns):
        raise ReportError(f"timeline[{number}]: {', '.join(OF_EACH[:-1])} and {OF_EACH[-1]} are not of one length")
    common = _common(entry)
    for values in zip(*columns, strict=True):
        yield common | dict(zip(OF_EACH, values, strict=True))
