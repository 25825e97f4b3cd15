"""`upgrade.html`: the answer, what it rests on, and what to do next. One file, no network, as a run's page."""

from __future__ import annotations

from collections.abc import Sequence

from reports.html.frame import frame, templates
from runner.upgrade.basis import answer, grouped, leaves_out, next_steps, proven, rests_on
from runner.upgrade.plan import PHASES, PhaseName
from runner.upgrade.proving import DIFF
from runner.upgrade.record import Cell, PhaseRecord, UpgradeRecord
from runner.upgrade.verdict import Safety, UpgradeVerdict, table

TONES = {Safety.SAFE: "pass", Safety.NOT_SAFE: "fail", Safety.NOT_KNOWN: "inconclusive"}
MEANING = {
    "leak": "a denied request got through",
    "lost": "allowed requests had no answer",
    "not denied": "denied by something else than what must deny it",
    "regression": "a case got worse",
    "revision": "a proxy or tag of another revision",
    "rejected": "a proxy rejects its configuration",
    "root": "no root certificate in common",
    "not ready": "pods do not start",
    "precheck": "breaks by the change of versions",
    "not known": "not seen",
}
"""Kind of an event → what it is, for people."""
WAYS = {
    "mesh": "Sidecar to sidecar",
    "plain": "Without a sidecar, to a server in the mesh",
    "ingress": "Through the ingress gateway",
    "egress": "Through the egress gateway",
    "originated": "TLS that the client's sidecar begins",
    "passed": "TLS passed through the egress gateway",
}
"""Beginning of a flow's name → the way of its requests."""


def render(record: UpgradeRecord, found: UpgradeVerdict) -> str:
    """The whole page. The same record gives the same bytes."""
    environment = templates()
    environment.globals.update(proven=proven, links=links, grouped=grouped, ways=WAYS, kind_means=MEANING)
    return environment.get_template("upgrade.html.j2").render(
        record=record,
        found=found,
        answer=answer(record, found),
        tone=TONES[found.safety],
        rests_on=list(rests_on(record)),
        leaves_out=list(leaves_out(record)),
        next_steps=list(next_steps(record, found)),
        meanings={phase.name.value: phase.meaning for phase in PHASES},
        sums={phase.name: totals(phase) for phase in record.phases},
        tables=tables([cell for phase in record.phases for cell in phase.cells]),
        page=frame(["style.css.j2", "diff.css.j2", "upgrade.css.j2"], ["theme.js"]),
    )


def totals(phase: PhaseRecord) -> dict[str, int]:
    """The requests of a phase, and what became of them."""
    return {name: sum(getattr(cell, name) for cell in phase.cells) for name in ("requests", "lost", "cut", "leaked")}


def links(phase: PhaseRecord) -> list[tuple[str, str]]:
    """Name and file of each page of a phase, as its folder names them."""
    if not phase.run:
        return []
    made = [("report", phase.run if phase.run.endswith(".json") else f"{phase.run}/index.html")]
    return made if phase.name == PhaseName.BEFORE else [*made, ("what differs", f"{phase.name}/{DIFF}")]


def tables(cells: Sequence[Cell]) -> list[tuple[str, list[str], dict[str, dict[str, str]]]]:
    """For each way: its name, the pairs of revisions that its requests passed, and flow → pair → what was seen."""
    made = table(cells)
    found = []
    for way in dict.fromkeys(flow.partition("-")[0] for flow in made):
        rows = {flow: row for flow, row in made.items() if flow.partition("-")[0] == way}
        found.append((way, sorted({pair for row in rows.values() for pair in row}), rows))
    return found
