"""Held traffic as a table for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table

from clients.hold.account import Account, Row
from clients.hold.flows import ARRIVED
from clients.hold.seen import Seen

_ROWS = 12
"""Rows that are listed for people; JSON has all."""
MANY_SKIPPED = 0.1
"""Share of skipped requests from which on a reader has to know: one in ten."""


def clock(moment: float) -> str:
    """A time in seconds since 1970, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S.%f")[:-3]


def table(seen: Seen) -> Table:
    """One line for each flow."""
    made = Table(box=box.SIMPLE, title=headline(seen), title_justify="left")
    made.add_column("flow", no_wrap=True)
    for name in ("requests", "lost", "leaked", "longest gap", "reconnects"):
        made.add_column(name, justify="right")
    made.add_column("other outcomes")
    for one in seen.accounts:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(one.kinds.items()))
        leaked = str(one.leaked) if one.flow.denied else ""
        lost = str(one.other if one.flow.denied else one.lost)
        cells = (one.flow.name, str(one.requests), lost, leaked, f"{one.gap_s:.2f} s", str(one.reconnections))
        style = "red" if one.leaked or one.lost else "yellow" if one.other or not one.requests else ""
        made.add_row(*cells, kinds, style=style)
    return made


def headline(seen: Seen) -> str:
    """All flows in a sentence."""
    return (
        f"{seen.requests} requests in {seen.until - seen.since:.0f} s: {seen.lost} lost, {seen.leaked} leaked, "
        f"longest gap {seen.longest_gap_s:.2f} s"
    )


def lines(seen: Seen) -> Iterator[str]:
    """What happened and when, each next to the phase; first the leaks, then what was lost, then what is not known."""
    events = [(one, row) for one in seen.accounts for row in one.rows]
    events.sort(key=lambda event: (event[1] not in event[0].leaks, event[1].start))
    for one, row in events[:_ROWS]:
        yield _line(seen, one, row)
    if len(events) > _ROWS:
        yield f"and {len(events) - _ROWS} more: see --json"
    for one in seen.accounts:
        for kind, count in sorted(one.unlisted.items()):
            yield f"{one.flow.name}: {count} x {kind} more, of which no time was kept"
    for hole in seen.holes:
        lasted = f"{hole.end - hole.start:.1f} s from {clock(hole.start)}"
        yield f"not observed: the client {hole.by}, {lasted}, in phase {seen.phase_at(hole.start)}"
    for name in seen.silent:
        yield f"not observed: the flow {name} sent nothing"
    for name in seen.unread:
        yield f"not observed: the account {name} cannot be read"
    for one in seen.hardly:
        yield f"not observed: of the flow {one.flow.name}, {one.skipped} of {one.skipped + one.requests} were not sent"
    if seen.skipped >= MANY_SKIPPED:
        yield (
            f"sent late: {seen.skipped:.0%} of the requests that the rates allow for were not sent, as clients had no "
            "time or waited for an answer; what lasted a few requests only may have been missed"
        )


def _line(seen: Seen, one: Account, row: Row) -> str:
    what = "leak" if row in one.leaks else "not denied as it must be" if one.flow.denied else "lost"
    where = " at the server" if row.outcome == ARRIVED else ""
    when = f"{clock(row.start)}, for {row.lasted_s:.2f} s"
    return f"{what}{where}: {one.flow.name}, {row.count} x {row.outcome}, {when}, in phase {seen.phase_at(row.start)}"


def as_json(seen: Seen) -> dict[str, Any]:
    """Everything; times in seconds since 1970."""
    return {
        "id": seen.id,
        "since": seen.since,
        "until": seen.until,
        "requests": seen.requests,
        "lost": seen.lost,
        "leaks": seen.leaked,
        "denied_otherwise": seen.other,
        "skipped_share": round(seen.skipped, 3),
        "longest_gap_s": round(seen.longest_gap_s, 3),
        "marks": [{"at": at, "name": name} for at, name in seen.marks],
        "flows": [_flow(seen, one) for one in seen.accounts],
        "not_observed": [
            *({"by": hole.by, "from": hole.start, "to": hole.end} for hole in seen.holes),
            *({"flow": name} for name in seen.silent),
            *({"account": name} for name in seen.unread),
            *({"flow": one.flow.name, "not_sent": one.skipped} for one in seen.hardly),
        ],
    }


def _flow(seen: Seen, one: Account) -> dict[str, Any]:
    rows = [
        {
            "from": row.start,
            "to": row.end,
            "outcome": row.outcome,
            "count": row.count,
            "leak": row in one.leaks,
            "phase": seen.phase_at(row.start),
        }
        for row in one.rows
    ]
    return {
        "name": one.flow.name,
        "protocol": one.flow.protocol,
        "kept": one.flow.kept,
        "due": one.flow.due,
        "requests": one.requests,
        "lost": one.lost,
        "leaks": one.leaked,
        "denied_otherwise": one.other,
        "skipped": one.skipped,
        "kinds": one.kinds,
        "longest_gap_s": round(one.gap_s, 3),
        "gap_at": one.gap_at,
        "reconnections": one.reconnections,
        "reconnected_at": list(one.reconnected_at),
        "rows": rows,
        "unlisted": sum(one.unlisted.values()),
    }
