"""A truth table as one piece of work: every cell is a case of its own, and all of them are proven in parallel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clients.model.case import Case
from clients.model.evidence import Evidence, Subject
from clients.proof.case_runner import CaseJob, CaseRunner
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS

CLIENTS, THREADS = 4, 48
"""Sources, and cells, that are proven in parallel. The cells of one source share its shell, one batch after the other:
many cells of few sources make larger batches, and a few sources keep a small machine busy."""


@dataclass(frozen=True)
class Table:
    """Cells of one control in one state of the mesh: source by destination, or setting by setting.

    Attributes:
        control: of every cell, and of the table as a whole.
        cases: the cells, all of one step; the variant of each names it.
    """

    control: str
    cases: tuple[Case, ...]


def prove_table(runner: CaseRunner, table: Table, subjects: Mapping[str, Subject]) -> list[Evidence]:
    """Evidence of every cell, in the table's order.

    A cell whose outcome the stage does not change has no stale answers to wait for: it needs as many confirmations as a
    baseline. A step is taken before the first cell; where it cannot be taken, no cell is tried.

    Args:
        subjects: by case id, what the evidence of each cell is about.
    """
    order = sorted(range(len(table.cases)), key=_turns(table.cases))
    jobs = [CaseJob(case, subjects[case.id], enough(case)) for case in (table.cases[n] for n in order)]
    found = {evidence.id: evidence for evidence in runner.table(jobs, THREADS)}
    return [found[case.id] for case in table.cases]


def enough(case: Case) -> int | None:
    """Confirmations of a cell; None for the derived number, where the stage changes its outcome or may have."""
    changed = case.before is not None and case.before != case.expect
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
