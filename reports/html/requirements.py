"""What the controls of a run are evidence for: rows of the page, with how many of them were proven."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from reports.record.about import StatedRequirement
from reports.record.coverage import coverage
from reports.record.model import Report

_MOST_NAMES = 8


@dataclass(frozen=True)
class RequirementRow:
    """One requirement.

    Attributes:
        tally: mark of controls → how many have it, the worst first.
        names: of the controls, as the table of requirements has them.
    """

    requirement: StatedRequirement
    tally: tuple[tuple[str, int], ...]

    @property
    def names(self) -> str:
        """In one line."""
        names = self.requirement.controls
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        return ", ".join(names[:_MOST_NAMES]) + more


def evidence_for(report: Report) -> list[RequirementRow]:
    """A row for each requirement that a control of the run is evidence for."""
    if report.about is None:
        return []
    marks = {name: its for row in coverage(report) for name, its in row.marks.items()}
    tallies: dict[tuple[str, ...], Counter[str]] = {}
    for name, its in marks.items():
        if found := report.about.requirement(name):
            tallies.setdefault(found.controls, Counter())[its] += 1
    rows = ((one, tallies.get(one.controls)) for one in report.about.requirements)
    return [RequirementRow(one, tuple(tally.most_common())) for one, tally in rows if tally]
