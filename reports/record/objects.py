"""Objects that were applied, written once each: a run applies some hundred, and each of its cases names a dozen.

A file has a table of them by key, and a case has the keys. What schema 2 and older wrote, whole objects in each case,
is read too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from reports.record.model import ReportError

Table = dict[str, dict[str, Any]]
"""Key → the object as plain JSON values (`clients.model.evidence.Applied`)."""

_DIGITS = 16
"""Of a key: even of a million different objects, two have the same one with a probability below one in ten million."""


def pack(case: dict[str, Any], table: Table) -> dict[str, Any]:
    """The case with keys in place of its objects, which are added to `table`."""
    keys = []
    for item in case.get("applied", ()):
        key = _key(item)
        table.setdefault(key, item)
        keys.append(key)
    return {**case, "applied": keys}


def unpack(case: dict[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The case with its objects; one that holds objects already is left as it is.

    Raises:
        ReportError: it names an object that is not in the table.
    """
    applied = case.get("applied")
    if not isinstance(applied, list) or not any(isinstance(item, str) for item in applied):
        return case
    return {**case, "applied": [_object(item, table) for item in applied]}


def _object(item: Any, table: Mapping[str, Any]) -> Any:
    if not isinstance(item, str):
        return item
    if item not in table:
        raise ReportError(f"applied names the object {item!r}, which is not among the objects")
    return table[item]


def _key(item: Any) -> str:
    text = json.dumps(item, sort_keys=True)
    return sha256(text.encode(errors="replace")).hexdigest()[:_DIGITS]
