"""`allure-results/history/`: what `allure generate` makes trends of, from the earlier runs in the same folder.

Allure takes these files from its own report of the run before, which a person has to copy. Here each run has them: the
history of the run before, and what that run showed. A history that is there already is left as it is, so that one
copied from a report of Allure's counts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reports.files import json_of, write_text

FOLDER = "history"
CASES, TREND, DURATIONS = "history.json", "history-trend.json", "duration-trend.json"
MOST_RUNS, MOST_RESULTS = 20, 3
"""Runs of a trend, as many as Allure keeps, and results of each case: 20 of each would take 4 MiB of a whole run."""
_FIELDS = {"historyId": str, "uuid": str, "status": str, "start": int, "stop": int}
"""What a result must have to count: another program may have written or damaged it."""
_STATUSES = ("failed", "broken", "skipped", "passed", "unknown")


def carry_over(before: Path, folder: Path) -> None:
    """Write the history of the run whose results are in `folder`, unless it has one.

    Args:
        before: folder of the results of the run before.

    Raises:
        OSError: it cannot be written. What cannot be read of the run before is left out.
    """
    target = folder / FOLDER
    if target.exists():
        return
    results = list(_results(before))
    if not results:
        return
    found = _read(before / FOLDER / CASES, dict)
    cases = {row["historyId"]: _with(found.get(row["historyId"]), row) for row in results}
    total = {name: Counter(row["status"] for row in results)[name] for name in _STATUSES}
    point = {"buildOrder": build_number(before), "reportName": "meshproof"}
    took = sum(_took_ms(row) for row in results)
    write_text(target / CASES, json.dumps({**found, **cases}, separators=(",", ":")) + "\n")
    for name, data in ((TREND, {**total, "total": len(results)}), (DURATIONS, {"duration": took})):
        rows = [{**point, "data": data}, *_read(before / FOLDER / name, list)][:MOST_RUNS]
        write_text(target / name, json.dumps(rows) + "\n")


def build_number(folder: Path) -> int:
    """Position of the run among those that its history knows; the first is 1."""
    known = [row["buildOrder"] for row in _read(folder / FOLDER / TREND, list) if isinstance(row, dict)]
    return 1 + max((number for number in known if isinstance(number, int)), default=0)


def _with(known: Any, row: dict[str, Any]) -> dict[str, Any]:
    """A case of the history with one more result, the newest first."""
    found = known.get("items") if isinstance(known, dict) else None
    items = [one for one in found if _is_item(one)] if isinstance(found, list) else []
    times = {"start": row["start"], "stop": row["stop"], "duration": _took_ms(row)}
    item = {"uid": row["uuid"], "status": row["status"], "time": times}
    kept = [item, *(one for one in items if one.get("uid") != item["uid"])][:MOST_RESULTS]
    counted = Counter(one.get("status") for one in kept)
    return {"statistic": {**{name: counted[name] for name in _STATUSES}, "total": len(kept)}, "items": kept}


def _is_item(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("status"), str)


def _took_ms(row: dict[str, Any]) -> int:
    return int(row["stop"]) - int(row["start"])


def _results(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*-result.json")):
        row = _read(file, dict)
        if all(isinstance(row.get(name), kind) for name, kind in _FIELDS.items()):
            yield row


def _read(file: Path, kind: type) -> Any:
    """Its content; an empty one where it cannot be read, or holds something else."""
    try:
        data = json_of(file.read_bytes())
    except (OSError, ValueError):
        return kind()
    return data if isinstance(data, kind) else kind()
