"""What of a run counts against it: the gates that decide between exit codes 0, 1 and 3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Annotated

from pydantic import Field

from clients.model.exit_code import ExitCode
from reports.marks import Mark

LIMIT = r"^(\d{1,6}|\d{1,2}(\.\d+)?%)$"
"""A number of cases, or a share of the planned ones."""
RANK: dict[str, int] = {
    Mark.PASS: 0,
    Mark.KNOWN: 0,
    Mark.REDUCED: 1,
    Mark.SKIP: 2,
    Mark.INCONCLUSIVE: 3,
    Mark.NOT_RUN: 3,
    Mark.FAIL: 4,
}
"""Mark of a case → how bad it is. A known failure is excused, so that it is no worse than a pass."""
_OR_NONE = rf"^$|{LIMIT}"
_MARK = f"^({'|'.join(RANK)})$"


@dataclass(frozen=True)
class Baseline:
    """An earlier run, below which a run must not fall.

    Attributes:
        run: its id.
        marks: case id → mark (`reports.marks`) of every case that it planned.
        of: title of its cluster, with the mesh; empty where an older release has compared.
    """

    run: str
    marks: dict[str, Annotated[str, Field(pattern=_MARK)]] = field(default_factory=dict)
    of: str = ""


@dataclass(frozen=True)
class Gates:
    """What a run may show and still conform.

    Attributes:
        max_inconclusive: how many cases may be inconclusive or not run: `2`, or `1%` of those planned.
        max_reduced: how many may have passed by reduced proof; empty for any number.
        baseline: the run that it is compared with; only what is worse than there counts. None: everything counts.
    """

    max_inconclusive: Annotated[str, Field(pattern=LIMIT)] = "0"
    max_reduced: Annotated[str, Field(pattern=_OR_NONE)] = ""
    baseline: Baseline | None = None


@dataclass(frozen=True)
class GateJudgement:
    """Ids of the cases that count, in order, and what follows from them.

    Attributes:
        failed: failed, and no entry excuses it.
        unknown: inconclusive, or planned and not run.
        reduced: passed by reduced proof.
        lost: skipped, where the baseline has more than a skip; none without a baseline.
        over: in words, which limits are exceeded, and what else keeps the run from being known.
    """

    failed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    reduced: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code."""
        return ExitCode.FAILED if self.failed else ExitCode.UNKNOWN if self.over else ExitCode.OK


def judge(marks: Mapping[str, str], gates: Gates, *, damaged: int = 0) -> GateJudgement:
    """What counts of a run.

    Args:
        marks: case id → mark of every planned case, in order.
        damaged: records that could not be read.
    """
    counted = {name: mark for name, mark in marks.items() if _counts(name, mark, gates.baseline)}

    def of(*wanted: str) -> tuple[str, ...]:
        return tuple(name for name, mark in counted.items() if mark in wanted)

    unknown, reduced, lost = of(Mark.INCONCLUSIVE, Mark.NOT_RUN), of(Mark.REDUCED), of(Mark.SKIP)
    over = []
    if not any(mark in (Mark.PASS, Mark.REDUCED) for mark in marks.values()):
        over.append("no case passed")
    if damaged:
        over.append(f"{damaged} damaged")
    if len(unknown) > limit(gates.max_inconclusive, len(marks)):
        over.append(f"{len(unknown)} inconclusive or not run, at most {gates.max_inconclusive} allowed")
    if gates.max_reduced and len(reduced) > limit(gates.max_reduced, len(marks)):
        over.append(f"{len(reduced)} with reduced proof, at most {gates.max_reduced} allowed")
    if lost:
        over.append(f"{len(lost)} skipped that the baseline has")
    return GateJudgement(of("fail"), unknown, reduced, lost, tuple(over))


def limit(text: str, of: int) -> int:
    """How many cases a limit allows, of so many.

    Raises:
        ValueError: it is no limit.
    """
    if not re.fullmatch(LIMIT, text):
        raise ValueError(f"{text!r} is neither a number of cases nor a share of them, such as 2 or 1%")
    return floor(float(text[:-1]) * of / 100) if text.endswith("%") else int(text)


def _counts(name: str, mark: str, baseline: Baseline | None) -> bool:
    """Whether a case may count: always without a baseline, except for a skip; with one, where it is worse than there.

    A case that the baseline does not have is judged for itself.
    """
    before = baseline.marks.get(name) if baseline else None
    if before is None:
        return mark != "skip"
    return RANK[mark] > RANK[before]
