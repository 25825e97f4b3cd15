"""The verdict of an upgrade: is it safe to move? Pure functions of what was recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from clients.hold.account import GOT_THROUGH, hardly_sent
from clients.mesh.upgrade.unchecked import UncheckedReason
from runner.upgrade.plan import PHASES, PhaseName
from runner.upgrade.record import Cell, Event, UpgradeRecord

NOT_KNOWN_KIND = "not known"
NO_ADDRESS = "dns"
"""Outcome of a request whose name was not resolved: the cluster's name servers are why, before any proxy sees it."""
CUT = frozenset({"closed", "grpc Unavailable", "grpc Internal"})
"""Outcomes of a request on a stream whose connection ends."""
_MOVING = "while pods were replaced"


class Safety(StrEnum):
    """The answer."""

    SAFE = "safe"
    NOT_SAFE = "not safe"
    NOT_KNOWN = "not known"

    @property
    def exit_code(self) -> int:
        """0, 1 and 3, as for every verb."""
        return {"safe": 0, "not safe": 1, "not known": 3}[self.value]


@dataclass(frozen=True)
class UpgradeVerdict:
    """The answer with its reasons.

    Attributes:
        against: what regressed, leaked or broke, each with its phase.
        unknown: what could not be seen.
    """

    safety: Safety
    against: tuple[Event, ...] = ()
    unknown: tuple[Event, ...] = ()


def verdict(record: UpgradeRecord) -> UpgradeVerdict:
    """The answer to all that was recorded; a phase that has not run is not known."""
    events = [event for phase in record.phases for event in phase.events]
    events += [*record.stopped, *_of_prechecks(record)]
    missing = [phase.name for phase in PHASES if phase.name not in record.finished]
    unknown = [event for event in events if event.kind == NOT_KNOWN_KIND]
    unknown += _unchecked(record)
    unknown += [Event(name, NOT_KNOWN_KIND, name, f"the phase {name} has not run") for name in missing]
    against = [event for event in events if event.kind != NOT_KNOWN_KIND]
    safety = Safety.NOT_SAFE if against else Safety.NOT_KNOWN if unknown else Safety.SAFE
    return UpgradeVerdict(safety, tuple(against), tuple(unknown))


def _of_prechecks(record: UpgradeRecord) -> list[Event]:
    return [
        Event("before", "precheck", code, f"{text}: {', '.join(objects[:5])}" if objects else text)
        for level, code, text, objects in record.prechecks
        if level == "error"
    ]


def _unchecked(record: UpgradeRecord) -> list[Event]:
    """What the harness's own prechecks could not look at: an error that they would have found may be there."""
    lines = [*record.unchecked(UncheckedReason.NOT_SEEN)]
    if not record.prechecked:
        lines.append("the prechecks were not made: the new revision was not there")
    return [Event("before", NOT_KNOWN_KIND, "prechecks", line) for line in lines]


def lost_before(record: UpgradeRecord) -> frozenset[str]:
    """Outcomes by which requests were lost, or denied otherwise, before anything had moved."""
    cells = [cell for phase in record.phases if phase.name == PhaseName.BEFORE for cell in phase.cells]
    return frozenset(kind for cell in cells for kind in cell.kinds) - GOT_THROUGH


def of_cells(phase: str, cells: Iterable[Cell], before: frozenset[str] = frozenset()) -> list[Event]:
    """What the flows of a phase say against the upgrade.

    What is lost before anything has moved is not the upgrade's doing; but then nothing can be said of later losses of
    that kind. The same is true where all that were lost had no address. A leak is never excused.

    Args:
        before: outcomes of requests that were lost in the phase `before`.
    """
    baseline = phase == PhaseName.BEFORE
    found = []
    for cell in cells:
        where = f"with {cell.pair}" + (f", {_MOVING}" if cell.moving else "")
        when = f"; the first {cell.when}" if cell.when else ""
        new = _new(cell, {NO_ADDRESS, *before} - GOT_THROUGH)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(cell.kinds.items()))
        if cell.leaked:
            text = f"{cell.leaked} denied requests got through {where}{when}"
            found.append(Event(phase, "leak", cell.flow, text))
        if cell.lost:
            text = f"{cell.lost} of {cell.requests} requests were lost {where}: {kinds}{when}"
            found.append(Event(phase, NOT_KNOWN_KIND if baseline or new <= 0 else "lost", cell.flow, text))
        if cell.other:
            text = f"{cell.other} of {cell.requests} denials were of another kind {where}: {kinds}{when}"
            found.append(Event(phase, NOT_KNOWN_KIND if baseline or new <= 0 else "not denied", cell.flow, text))
        if not cell.moving and not cell.requests:
            found.append(Event(phase, NOT_KNOWN_KIND, cell.flow, f"no request was sent {where}"))
        elif hardly_sent(cell.requests, cell.skipped):
            text = f"{cell.skipped} of {cell.skipped + cell.requests} requests were not sent in time {where}"
            found.append(Event(phase, NOT_KNOWN_KIND, cell.flow, f"{text}: what lasted a moment only may be missed"))
    return found


def _new(cell: Cell, excused: Collection[str]) -> int:
    """Requests of a flow that were lost, or denied otherwise, in a way that is not excused, but for those cut off."""
    others = {kind: count for kind, count in cell.kinds.items() if kind not in excused}
    cut = min(cell.cut, sum(count for kind, count in others.items() if kind in CUT))
    return cell.lost + cell.other + cell.cut - (sum(cell.kinds.values()) - sum(others.values())) - cut


def table(cells: Sequence[Cell]) -> dict[str, dict[str, str]]:
    """The truth table of the pairs: flow → pair → `ok`, or what was wrong; only of states that lasted."""
    made: dict[str, dict[str, str]] = {}
    for cell in cells:
        if cell.moving:
            continue
        bad = [f"{count} {what}" for what, count in _bad(cell) if count]
        row = made.setdefault(cell.flow, {})
        now = ", ".join(bad) or ("ok" if cell.requests else "not seen")
        before = row.get(cell.pair, "ok")
        row[cell.pair] = now if before == "ok" else before if now == "ok" else f"{before}; {now}"
    return made


def _bad(cell: Cell) -> tuple[tuple[str, int], ...]:
    return ("leaked", cell.leaked), ("lost", cell.lost), ("denied otherwise", cell.other)
