"""An upgrade for people: a page, Markdown, and lines for the terminal; JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clients.model.errors import SettingsError
from runner.upgrade import page
from runner.upgrade.basis import answer, extent, grouped, leaves_out, next_steps, proven, rests_on
from runner.upgrade.plan import PHASES
from runner.upgrade.record import Cell, Event, PhaseRecord, UpgradeRecord
from runner.upgrade.verdict import UpgradeVerdict, table, verdict

HTML, MARKDOWN, JSON = "upgrade.html", "upgrade.md", "verdict.json"


def write(record: UpgradeRecord, folder: Path) -> UpgradeVerdict:
    """Write all files; returns the verdict.

    Raises:
        SettingsError: the folder cannot be written to.
    """
    found = verdict(record)
    texts = {
        HTML: page.render(record, found),
        MARKDOWN: markdown(record, found),
        JSON: json.dumps(as_json(record, found), indent=1) + "\n",
    }
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to: {error.strerror}", "choose another by --out") from None
    return found


def lines(record: UpgradeRecord, found: UpgradeVerdict) -> Iterator[str]:
    """The answer, the reasons by phase and kind, what it rests on, and what to do next."""
    yield answer(record, found)
    for one in grouped([*found.against, *found.unknown]):
        yield f"{_line(one.first)}{f'; {one.more}' if one.more else ''}"
    for title, texts in _parts(record, found):
        yield f"{title}:"
        yield from (f"  {text}" for text in texts)


def _parts(record: UpgradeRecord, found: UpgradeVerdict) -> list[tuple[str, list[str]]]:
    parts = [
        ("What it rests on", list(rests_on(record))),
        ("What it leaves out", list(leaves_out(record))),
        ("What to do next", list(next_steps(record, found))),
    ]
    return [(title, texts) for title, texts in parts if texts]


def as_json(record: UpgradeRecord, found: UpgradeVerdict) -> dict[str, Any]:
    """The verdict with its reasons, and the table of pairs."""
    return {
        "schema": record.schema,
        "id": record.id,
        "verdict": found.safety.value,
        "exit": found.safety.exit_code,
        "from": vars(record.old),
        "to": vars(record.new),
        "whole_catalogue": not extent(record),
        "tier": record.tier,
        "suites": list(record.suites),
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
        "not_checked": [{"text": one.text, "why": one.why.value} for one in record.not_checked],
        "out_of_sight": list(record.out_of_sight),
        "leaves_out": list(leaves_out(record)),
        "next": list(next_steps(record, found)),
        "namespaces": [one.name for one in record.namespaces],
        "not_carried_over": list(record.left),
        "phases": [
            {"name": one.name, "started": one.started, "ended": one.ended, "run": one.run, "cases": one.cases}
            for one in record.phases
        ],
        "pairs": table([cell for phase in record.phases for cell in phase.cells]),
    }


def markdown(record: UpgradeRecord, found: UpgradeVerdict) -> str:
    """The whole report."""
    parts = [f"# Upgrade {record.id}", "", f"**{answer(record, found)}**", ""]
    for title, events in (("Against it", found.against), ("Not known", found.unknown)):
        if events:
            parts += [f"## {title}", "", *(f"- {_line(event)}" for event in events), ""]
    for title, texts in _parts(record, found):
        parts += [f"## {title}", "", *(f"- {text}" for text in texts), ""]
    parts += [
        "## Phases",
        "",
        "| phase | | seconds | requests | lost | cut | leaked | cases | suites |",
        "|---|---|---|---|---|---|---|---|---|",
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
    return "\n".join(parts) + "\n"


def _pairs(cells: Sequence[Cell]) -> Iterator[str]:
    """A table for each kind of way: flows, and the pairs of revisions that they passed."""
    for way, pairs, rows in page.tables(cells):
        yield f"| {way} | {' | '.join(pairs)} |"
        yield f"|---|{'---|' * len(pairs)}"
        for flow, row in rows.items():
            yield f"| {flow} | {' | '.join(row.get(pair, '') for pair in pairs)} |"
        yield ""


def _phase(phase: PhaseRecord, meaning: str) -> str:
    sums = (sum(getattr(cell, name) for cell in phase.cells) for name in ("requests", "lost", "cut", "leaked"))
    links: Iterable[str] = (f"[{name}]({file})" for name, file in page.links(phase))
    took, cases = f"{phase.ended - phase.started:.0f}", proven(phase) if phase.cases else ""
    return f"| {phase.name} | {meaning} | {took} | {' | '.join(map(str, sums))} | {cases} | {', '.join(links)} |"


def _line(event: Event) -> str:
    return f"{event.kind} in phase {event.phase}: {event.what}: {event.text}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
