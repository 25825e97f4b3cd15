"""An upgrade for people: Markdown, JSON for programs, and lines for the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clients.model.errors import SettingsError
from runner.upgrade.plan import PHASES
from runner.upgrade.record import Cell, Event, PhaseRecord, UpgradeRecord
from runner.upgrade.verdict import UpgradeVerdict, table, verdict

MARKDOWN, JSON = "upgrade.md", "verdict.json"


def write(record: UpgradeRecord, folder: Path) -> UpgradeVerdict:
    """Write both files; returns the verdict.

    Raises:
        SettingsError: the folder cannot be written to.
    """
    found = verdict(record)
    try:
        (folder / MARKDOWN).write_text(markdown(record, found), encoding="utf-8")
        (folder / JSON).write_text(json.dumps(as_json(record, found), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to: {error.strerror}", "choose another by --out") from None
    return found


def headline(record: UpgradeRecord, found: UpgradeVerdict) -> str:
    """The verdict in a sentence."""
    cells = [cell for phase in record.phases for cell in phase.cells]
    lost, leaked = sum(cell.lost for cell in cells), sum(cell.leaked for cell in cells)
    sent = f"{record.requests} requests, {lost} lost, {leaked} leaked, longest gap {record.longest_gap_s:.2f} s"
    return f"{found.safety.upper()}: from {_named(record, 'old')} to {_named(record, 'new')}; {sent}"


def lines(found: UpgradeVerdict, at_most: int = 20) -> Iterator[str]:
    """Each reason, with its phase."""
    events = [*found.against, *found.unknown]
    for event in events[:at_most]:
        yield _line(event)
    if len(events) > at_most:
        yield f"and {len(events) - at_most} more: see {MARKDOWN}"


def as_json(record: UpgradeRecord, found: UpgradeVerdict) -> dict[str, Any]:
    """The verdict with its reasons, and the table of pairs."""
    return {
        "schema": record.schema,
        "id": record.id,
        "verdict": found.safety.value,
        "exit": found.safety.exit_code,
        "from": vars(record.old),
        "to": vars(record.new),
        "wall_s": round(record.wall_s, 1),
        "requests": record.requests,
        "lost": sum(cell.lost for phase in record.phases for cell in phase.cells),
        "cut": sum(cell.cut for phase in record.phases for cell in phase.cells),
        "leaks": sum(cell.leaked for phase in record.phases for cell in phase.cells),
        "longest_gap_s": round(record.longest_gap_s, 3),
        "against": [vars(event) for event in found.against],
        "not_known": [vars(event) for event in found.unknown],
        "prechecks": [
            {"level": level, "code": code, "text": text, "objects": list(objects)}
            for level, code, text, objects in record.prechecks
        ],
        "namespaces": [one.name for one in record.namespaces],
        "not_carried_over": list(record.left),
        "phases": [
            {"name": phase.name, "started": phase.started, "ended": phase.ended, "run": phase.run}
            for phase in record.phases
        ],
        "pairs": table([cell for phase in record.phases for cell in phase.cells]),
    }


def markdown(record: UpgradeRecord, found: UpgradeVerdict) -> str:
    """The whole report."""
    parts = [f"# Upgrade {record.id}", "", f"**{headline(record, found)}**", ""]
    for title, events in (("Against it", found.against), ("Not known", found.unknown)):
        if events:
            parts += [f"## {title}", "", *(f"- {_line(event)}" for event in events), ""]
    parts += [
        "## Phases",
        "",
        "| phase | | seconds | requests | lost | leaked | suites |",
        "|---|---|---|---|---|---|---|",
    ]
    meanings = {phase.name.value: phase.meaning for phase in PHASES}
    parts += [_phase(phase, meanings[phase.name]) for phase in record.phases]
    cells = [cell for phase in record.phases for cell in phase.cells]
    parts += ["", "## Pairs", "", *_pairs(cells)]
    if record.prechecks:
        parts += ["", "## Prechecks", "", "| level | code | | objects |", "|---|---|---|---|"]
        parts += [
            f"| {level} | {code} | {_cell(text)} | {_cell(', '.join(objects))} |"
            for level, code, text, objects in record.prechecks
        ]
    if record.left:
        parts += ["", "## Not carried over", "", *(f"- {line}" for line in record.left)]
    return "\n".join(parts) + "\n"


def _pairs(cells: Sequence[Cell]) -> Iterator[str]:
    """A table for each kind of way: flows, and the pairs of revisions that they passed."""
    made = table(cells)
    for way in dict.fromkeys(flow.partition("-")[0] for flow in made):
        rows = {flow: row for flow, row in made.items() if flow.partition("-")[0] == way}
        pairs = sorted({pair for row in rows.values() for pair in row})
        yield f"| {way} | {' | '.join(pairs)} |"
        yield f"|---|{'---|' * len(pairs)}"
        for flow, row in rows.items():
            yield f"| {flow} | {' | '.join(row.get(pair, '') for pair in pairs)} |"
        yield ""


def _phase(phase: PhaseRecord, meaning: str) -> str:
    sums = (sum(getattr(cell, name) for cell in phase.cells) for name in ("requests", "lost", "cut", "leaked"))
    run = f"[report]({phase.run}/index.html)" if phase.run else ""
    took = f"{phase.ended - phase.started:.0f}"
    return f"| {phase.name} | {meaning} | {took} | {' | '.join(map(str, sums))} | {run} |"


def _line(event: Event) -> str:
    return f"{event.kind} in phase {event.phase}: {event.what}: {event.text}"


def _named(record: UpgradeRecord, which: str) -> str:
    one = record.old if which == "old" else record.new
    return f"{one.revision or one.label} ({one.version or 'version not seen'})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
