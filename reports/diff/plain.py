"""A comparison for programs (JSON), and for a job's summary or a comment (Markdown)."""

from __future__ import annotations

import json
from typing import Any

from clients.model.counted import counted
from reports.cells import cell
from reports.diff.compare import Change, Difference
from reports.diff.slower import Slower
from reports.marks import GLYPHS, WORDS, Mark

SCHEMA = "meshproof/diff/v1"
"""Fields may be added without a new number."""
MOST = 200
"""Rows of one Markdown table; the JSON has all."""


def headline(difference: Difference) -> str:
    """`Worse than before: 2 regressed, 1 slower`, or `No worse than before`."""
    return f"Worse than before: {', '.join(difference.worse)}" if difference.worse else "No worse than before"


def to_json(difference: Difference) -> str:
    """The whole comparison."""
    before, after = difference.runs
    lacks_before, lacks_after = difference.missing
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "exit": difference.exit_code,
        "worse": list(difference.worse),
        "runs": {"before": list(before), "after": list(after)},
        "environment": [
            {"name": name, "before": was, "after": now} for name, (was, now) in difference.environment.items()
        ],
        "not_recorded": {"before": list(lacks_before), "after": list(lacks_after)},
        "notes": list(difference.notes),
        "changes": {
            heading.replace(", passing in both", "").replace(" ", "_"): [_change(one) for one in changes]
            for heading, changes in difference.headings
        },
        "slower": {
            "tested": difference.pace.tested,
            "note": difference.pace.note,
            "controls": [_slower(one) for one in difference.pace.slower],
        },
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _change(one: Change) -> dict[str, Any]:
    was, now = one.marks
    return {
        "control": one.control,
        "id": one.id,
        "title": one.title,
        "before": was or None,
        "after": now or None,
        "note": one.note,
    }


def _slower(one: Slower) -> dict[str, Any]:
    return {
        "control": one.control,
        "title": one.title,
        "before_s": list(one.before_s),
        "after_s": list(one.after_s),
        "shift_s": one.test.shift,
        "share": one.test.share,
        "p": one.chance,
    }


def to_markdown(difference: Difference) -> str:
    """Headings, the worst first, with a table each."""
    before, after = difference.runs
    parts = [f"## {headline(difference)}\n", f"{cell(_runs(before))} compared with {cell(_runs(after))}\n"]
    parts += [f"{cell(note)}\n" for note in (*difference.notes, difference.pace.note) if note]
    if difference.environment:
        rows = [(name, was or "unknown", now or "unknown") for name, (was, now) in difference.environment.items()]
        parts.append(_table("Environment", ("", "Before", "After"), rows))
    for heading, changes in difference.headings:
        if changes:
            rows_ = [(_mark(one.marks[0]), _mark(one.marks[1]), one.id, one.title, one.note) for one in changes]
            title = f"{heading[0].upper()}{heading[1:]} ({len(changes)})"
            parts.append(_table(title, ("Before", "After", "Case", "What must hold", "Why"), rows_))
    if slower := difference.pace.slower:
        rows = [(one.control, one.title, one.text.partition(": ")[2]) for one in slower]
        parts.append(_table(f"Slower to converge ({len(slower)})", ("Control", "What must hold", "Time"), rows))
    if not any(changes for _, changes in difference.headings):
        parts.append("No case differs.\n")
    for when, names in zip(("before", "after"), difference.missing, strict=True):
        if names:
            parts.append(f"Not recorded {when}: {cell(', '.join(names))}.\n")
    return "\n".join(parts)


def _runs(ids: tuple[str, ...]) -> str:
    return f"run {ids[0]}" if len(ids) == 1 else counted(len(ids), "run")


def _mark(name: Mark | None) -> str:
    return f"{GLYPHS[name]} {WORDS[name]}" if name else "absent"


def _table(title: str, heads: tuple[str, ...], rows: list[Any]) -> str:
    more = [f"\n{len(rows) - MOST} more are in the JSON.\n"] if len(rows) > MOST else []
    lines = [f"| {' | '.join(map(cell, row))} |\n" for row in rows[:MOST]]
    return "".join([f"### {title}\n\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n", *lines, *more])
