"""A truth table as one piece of work: every cell a case of its own, all of them proven side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence
from clients.proof import verify
from clients.proof.case_runner import CaseJob, CaseRunner
from clients.proof.running_stage import BASELINE_CONFIRMATIONS, RunningStage

CLIENTS, THREADS = 4, 48
"""Sources at work at once, and cells. The cells of one source share its shell, a batch of them after the other: many of
few sources make larger batches, and a few sources keep a small machine busy."""


@dataclass(frozen=True)
class Table:
    """Cells of one control in one state of the mesh: source by destination, or setting by setting.

    Attributes:
        control: of every cell, and of the table as a whole.
        cases: the cells, all of one step; the variant of each says which one it is.
    """

    control: str
    cases: tuple[Case, ...]


def prove(running: RunningStage, table: Table, facts: verify.Facts) -> list[Evidence]:
    """Evidence of every cell, in the table's order.

    A cell whose outcome the stage does not change has no stale answers to wait out: it needs as many confirmations as a
    baseline. A step is taken before the first cell; where it cannot be, none is tried.
    """
    # cells are begun at once, so all of them are of the step that is taken now
    [step] = {case.step for case in table.cases}
    try:
        running.reach(step)
    except MeshproofError as error:
        return [verify.unproven(case, facts, error.message, stage=running.stage.name) for case in table.cases]
    jobs = [CaseJob(case, facts, _enough(case)) for case in table.cases]
    with CaseRunner(
        running, [jobs[n] for n in sorted(range(len(jobs)), key=_turns(table.cases))], THREADS
    ) as case_runner:
        return [case_runner.evidence(job) for job in jobs]


def _enough(case: Case) -> int | None:
    changed = case.before is not None and case.before.text != case.expect.text
    return None if changed else BASELINE_CONFIRMATIONS


def _turns(cases: tuple[Case, ...]) -> Callable[[int], tuple[int, int]]:
    """For sorting: `CLIENTS` sources after `CLIENTS` others; within such a group the sources take turns."""
    groups: dict[object, int] = {}
    seen: Counter[object] = Counter()
    places = []
    for case in cases:
        source = case.probe.source
        places.append((groups.setdefault(source, len(groups) // CLIENTS), seen[source]))
        seen[source] += 1
    return places.__getitem__
