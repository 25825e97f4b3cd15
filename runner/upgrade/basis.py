"""What the answer of an upgrade rests on, what it leaves out, and what to do next: in words, for the reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clients.mesh.upgrade.unchecked import UncheckedReason
from clients.model.counted import counted
from reports.hold import MANY_SKIPPED
from runner.config.gate_settings import Tier
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import Event, PhaseRecord, UpgradeRecord, UpgradeSide
from runner.upgrade.verdict import Safety, UpgradeVerdict, table

NAMED = 6
"""Flows, cases or objects that a group of reasons names."""
OF_KIND = {
    "leak": "a denied request got through: find the policy that does not hold there before anything of yours moves",
    "lost": "requests were lost: see at which move, and whether it goes on after it or ends with it",
    "not denied": "a denial has another cause than it must have: the layer that should deny may be open",
    "regression": "a case got worse: its report has each request and answer, and diff.html what is different",
    "revision": "a proxy or a tag is of another revision than it should be: look at labels, tags and webhooks",
    "rejected": "a proxy rejects its configuration, and keeps the one of before: correct the object that it names",
    "root": "both control planes need one root certificate: give the new one the authority of the old one",
    "not ready": "new pods do not start: see what each says, then go on by --resume",
    "precheck": "the prechecks name objects that break: change these first, then rehearse again",
}
"""Kind of an event → what it means for the upgrade."""


@dataclass(frozen=True)
class Reasons:
    """Events of one kind in one phase: the first one, and what the others are about."""

    first: Event
    others: tuple[str, ...] = ()

    @property
    def more(self) -> str:
        """`also mesh-tcp-denied, mesh-grpc-denied and 4 more`; empty where there are no others."""
        named, rest = self.others[:NAMED], len(self.others) - NAMED
        return f"also {', '.join(named)}{f' and {rest} more' if rest > 0 else ''}" if named else ""


def grouped(events: Iterable[Event]) -> list[Reasons]:
    """All events, those of one kind in one phase together, in the order in which they first occur."""
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        groups.setdefault((event.phase, event.kind), []).append(event)
    return [
        Reasons(first, tuple(dict.fromkeys(one.what for one in rest if one.what != first.what)))
        for first, *rest in groups.values()
    ]


def extent(record: UpgradeRecord) -> str:
    """What part of the catalogue the suites were to prove; empty for all of it."""
    parts = [f"tier {record.tier}"] if record.tier != Tier.FULL else []
    return " of ".join([*parts, " ".join(record.suites)] if record.suites else parts)


def rests_on(record: UpgradeRecord) -> Iterator[str]:
    """What was measured, a line each."""
    cells = [cell for phase in record.phases for cell in phase.cells]
    lost, cut, leaked = (sum(getattr(cell, name) for cell in cells) for name in ("lost", "cut", "leaked"))
    lines = f"{record.requests} requests while versions moved: {lost} lost, {leaked} leaked"
    streams = f"; {cut} were on their way on streams whose pod was replaced" if cut else ""
    yield f"{lines}, the longest gap {record.longest_gap_s:.2f} s{streams}"
    pairs = [seen for row in table(cells).values() for seen in row.values()]
    if pairs:
        good = sum(seen == "ok" for seen in pairs)
        yield f"{good} of {len(pairs)} meetings of a flow with a pair of old and new were as they must be"
    for phase in record.phases:
        if phase.cases:
            yield f"suites in {phase.name}: {proven(phase)}"
    if record.prechecked:
        levels = [level for level, *_ in record.prechecks]
        yield "prechecks: " + ", ".join(counted(levels.count(level), level) for level in ("error", "warning"))


def proven(phase: PhaseRecord) -> str:
    """`1607 of 1615 cases pass (21 reduced), 3 known failures, 5 skipped`."""
    of = phase.cases
    reduced = f" ({of['reduced']} reduced)" if of.get("reduced") else ""
    parts = [f"{of.get('pass', 0)} of {counted(phase.planned, 'case')} pass{reduced}"]
    failed = of.get("fail", 0) - of.get("known", 0)
    rest = {"fail": failed, "known failures": of.get("known", 0), "inconclusive": of.get("inconclusive", 0),
            "skipped": of.get("skip", 0), "not run": of.get("not_run", 0)}  # fmt: skip
    return ", ".join([*parts, *(f"{count} {name}" for name, count in rest.items() if count)])


def leaves_out(record: UpgradeRecord) -> Iterator[str]:
    """What the answer says nothing about, a line each."""
    if part := extent(record):
        cases = max((phase.planned for phase in record.phases), default=0)
        yield f"the suites were {part}, {counted(cases, 'case')}, and not the whole catalogue"
    for line in record.out_of_sight:
        yield f"{line}: what it changes was seen by requests and cases only"
    yield from (f"prechecks: {line}" for line in record.unchecked(UncheckedReason.BY_ISTIOCTL))
    cells = [cell for phase in record.phases for cell in phase.cells]
    sent, skipped = sum(cell.requests for cell in cells), sum(cell.skipped for cell in cells)
    if skipped and (share := skipped / (sent + skipped)) >= MANY_SKIPPED:
        yield f"{share:.0%} of the requests that the rates allow for were not sent in time"
    yield from (f"not carried over: {line}" for line in record.left)
    if not record.namespaces:
        yield "no namespace of yours has moved, only the workloads of the held traffic and of the suites"


def next_steps(record: UpgradeRecord, found: UpgradeVerdict) -> Iterator[str]:
    """What to do with the answer, a line each."""
    if found.safety is Safety.NOT_SAFE:
        yield "do not move yet; what to look at:"
        yield from (text for kind, text in OF_KIND.items() if any(one.kind == kind for one in found.against))
        yield "then repeat the upgrade: only one that went through all phases without a reason against it is safe"
    elif found.safety is Safety.NOT_KNOWN:
        yield "do not move yet: nothing is against it, but not everything was seen"
        if PhaseName.ROLLED_BACK not in record.finished:
            yield "go on by --resume once what stopped it is away"
        else:
            yield "repeat it on a calmer cluster, or look into each of them"
    else:
        if extent(record):
            yield "repeat it without --tier and SUITE: only the whole catalogue shows what this one left out"
        if record.out_of_sight:
            yield "ask the provider what the new control plane has otherwise: its settings could not be looked at"
        if any(level == "warning" for level, *_ in record.prechecks):
            yield "read the warnings of the prechecks: each names objects that may behave differently"
        yield "move one namespace at a time, its label first and then its pods, with `meshproof hold start` next to it"
        name = record.new.label or record.new.revision
        yield f"keep the old revision until `meshproof run --revision {name}` conforms after the move"


def answer(record: UpgradeRecord, found: UpgradeVerdict) -> str:
    """The verdict in a sentence."""
    cells = [cell for phase in record.phases for cell in phase.cells]
    lost, leaked = sum(cell.lost for cell in cells), sum(cell.leaked for cell in cells)
    sent = f"{record.requests} requests, {lost} lost, {leaked} leaked, longest gap {record.longest_gap_s:.2f} s"
    limits = f", as far as {part} shows" if (part := extent(record)) else ""
    limits += ", without a look at the control plane" if record.out_of_sight else ""
    return f"{found.safety.upper()}{limits}: from {_named(record.old)} to {_named(record.new)}; {sent}"


def _named(side: UpgradeSide) -> str:
    return f"{side.revision or side.label} ({side.version or 'version not seen'})"
