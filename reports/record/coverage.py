"""How much of each document was proven, by tier: each control once, by the worst of its cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reports.marks import Mark, mark
from reports.record.model import Report

NOT_SELECTED = "not-selected"
"""Mark of a control that the run was not asked to prove."""
_WORST = (Mark.FAIL, Mark.INCONCLUSIVE, Mark.NOT_RUN, Mark.KNOWN, Mark.REDUCED, Mark.PASS, Mark.SKIP)
"""A control that passed where it could be tried is not a skipped one."""
CLEAN_UP = "X-CLEAN-UP"
"""Our own control: a stage leaves the mesh as it found it. It has a record only where one did not; none selects it."""


@dataclass(frozen=True)
class Coverage:
    """One document, or one tier of it.

    Attributes:
        tier: empty for the whole document.
        marks: control → its mark, in the order of the catalogue.
        why: reasons of skipped controls, with how many have each, the most frequent first.
    """

    prefix: str
    title: str
    tier: str
    marks: Mapping[str, str]
    why: tuple[tuple[str, int], ...] = ()

    def count(self, *names: str) -> int:
        """How many controls have one of these marks."""
        return sum(found in names for found in self.marks.values())

    @property
    def share(self) -> float:
        """Of all its controls, those that were proven, in full or with reduced proof: 0 to 1."""
        return self.count(Mark.PASS, Mark.REDUCED) / len(self.marks) if self.marks else 0.0

    @property
    def percent(self) -> str:
        """The share for people: rounded, but `100 %` only where all were proven, and `0 %` only where none was."""
        rounded = round(self.share * 100)
        return f"{rounded if self.share in (0, 1) else min(max(rounded, 1), 99)} %"

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        names = {
            "proven": Mark.PASS,
            "reduced": Mark.REDUCED,
            "failed": Mark.FAIL,
            "known": Mark.KNOWN,
            "inconclusive": Mark.INCONCLUSIVE,
            "not_run": Mark.NOT_RUN,
            "skipped": Mark.SKIP,
            "not_selected": NOT_SELECTED,
        }
        counts = {name: self.count(found) for name, found in names.items()}
        return {"document": self.prefix, "title": self.title, "tier": self.tier, "controls": len(self.marks), **counts}


def coverage(report: Report) -> tuple[Coverage, ...]:
    """A row for each document, each followed by one for each of its tiers; none where the run recorded no controls."""
    if report.about is None:
        return ()
    marks, reasons = _marks(report), _reasons(report)
    rows: list[Coverage] = []
    for document in report.about.documents:
        here = [one for one in report.about.controls if one.id.startswith(f"{document.prefix}-")]
        here = [one for one in here if one.id != CLEAN_UP or one.id in marks]
        tiers = list(dict.fromkeys(one.tier for one in here if one.tier))
        for tier in ("", *(sorted(tiers, key=_size) if len(tiers) > 1 else ())):
            found = {one.id: marks.get(one.id, NOT_SELECTED) for one in here if tier in ("", one.tier)}
            why = Counter(reasons[name] for name, its in found.items() if its == "skip")
            rows.append(Coverage(document.prefix, document.title, tier, found, tuple(why.most_common())))
    return tuple(row for row in rows if row.marks)


def _size(tier: str) -> int:
    order = ("smoke", "core", "full")
    return order.index(tier) if tier in order else len(order)


def _marks(report: Report) -> dict[str, str]:
    each = [(case.control, mark(case)) for case in report.cases]
    each += [(name.partition("[")[0], Mark.NOT_RUN) for name in report.not_run]
    found: dict[str, str] = {}
    for control, its in each:
        found[control] = _worse(found.get(control, its), its)
    return found


def _worse(*marks: str) -> str:
    return min(marks, key=_WORST.index)


def _reasons(report: Report) -> dict[str, str]:
    return {case.control: case.reason for case in report.cases if mark(case) is Mark.SKIP}
