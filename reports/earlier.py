"""What an earlier run showed of each case: for a baseline, and for the cases to run again."""

from __future__ import annotations

from pathlib import Path

from reports.gates import Baseline
from reports.history import record
from reports.marks import Mark
from reports.record.conformance import FILE

AGAIN = frozenset({Mark.FAIL, Mark.INCONCLUSIVE, Mark.NOT_RUN})
"""Marks of cases that are worth another run; a known failure is not."""


def load(path: Path) -> Baseline:
    """Id of a run, and the mark of each of its cases, by its folder or its `conformance.json`.

    Raises:
        ReportError: no such file, or it is no report of this program; one line that names it.
    """
    file = path / FILE if path.is_dir() and path.name != FILE else path
    data, digest = record.content(file)
    found = record.parse(file, data, digest)
    return Baseline(found.run.id, {row.case: row.mark for row in found.rows}, found.target.title)


def again(run: Baseline) -> frozenset[str]:
    """Ids of the cases that failed, are inconclusive or were not run."""
    return frozenset(name for name, mark in run.marks.items() if mark in AGAIN)
