"""Truth tables: for each stage, source by destination, with the cases between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clients.model.evidence import Evidence
from reports.marks import WORST_FIRST, Mark, mark

DENSE_FROM = 7
"""Destinations from which a table shows what was observed and nothing else: fifty columns must fit a screen."""
BULK_FROM = 25
"""Cells of one control that passed, from which each is shown as a line instead of a part of its own."""


@dataclass(frozen=True)
class MatrixStage:
    """Cases that were judged in one state of the mesh, in order. `name` is the stage's id."""

    suite: str
    name: str
    cases: tuple[Evidence, ...]

    @property
    def title(self) -> str:
        """What a reader sees: the stage's title, or its id where it has none."""
        return next((case.stage_title for case in self.cases if case.stage_title), self.name) or "no stage"

    @property
    def subtitle(self) -> str:
        """The stage's id; empty where the title is the id."""
        return self.name if self.name != self.title else ""

    @property
    def worst(self) -> str:
        """The worst of its cases, as a key of `reports.marks.GLYPHS`."""
        return min(map(mark, self.cases), key=WORST_FIRST.index)

    @property
    def bulk(self) -> tuple[Evidence, ...]:
        """Cells of large tables that passed in full and are no refusal: the outcome is all of the proof."""
        plain = [case for case in self.cases if mark(case) is Mark.PASS and case.twin is None]
        many = {control for control, number in Counter(case.control for case in plain).items() if number >= BULK_FROM}
        return tuple(case for case in plain if case.control in many)

    @property
    def single(self) -> tuple[Evidence, ...]:
        """All others, in order."""
        bulk = {case.id for case in self.bulk}
        return tuple(case for case in self.cases if case.id not in bulk)

    @property
    def tally(self) -> str:
        """`1 fail, 3 pass (2 reduced)`."""
        counts = Counter(mark(case) for case in self.cases)
        reduced = counts.pop(Mark.REDUCED, 0)
        counts[Mark.PASS] += reduced
        found = [f"{counts[key]} {key}" for key in WORST_FIRST if counts[key]]
        return ", ".join(found) + (f" ({reduced} reduced)" if reduced else "")


@dataclass(frozen=True)
class Matrix:
    """`cells[row][column]` holds the cases from `sources[row]` to `destinations[column]`."""

    stage: MatrixStage
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: tuple[tuple[tuple[Evidence, ...], ...], ...]

    @property
    def dense(self) -> bool:
        """Whether it has too many columns to say more than the outcome."""
        return len(self.destinations) >= DENSE_FROM


def stages(cases: Sequence[Evidence]) -> tuple[MatrixStage, ...]:
    """The cases by suite and stage, in the order in which each first occurs."""
    grouped: dict[tuple[str, str], list[Evidence]] = {}
    for case in cases:
        grouped.setdefault((case.suite, case.stage), []).append(case)
    return tuple(MatrixStage(suite, name, tuple(group)) for (suite, name), group in grouped.items())


def matrix(stage: MatrixStage) -> Matrix | None:
    """The stage's table; None when none of its cases goes from a workload to a host."""
    flows = [case for case in stage.cases if case.source and case.destination]
    if not flows:
        return None
    sources = tuple(dict.fromkeys(case.source for case in flows))
    destinations = tuple(dict.fromkeys(case.destination for case in flows))
    between: dict[tuple[str, str], list[Evidence]] = {}
    for case in flows:
        between.setdefault((case.source, case.destination), []).append(case)
    cells = tuple(tuple(tuple(between.get((source, there), ())) for there in destinations) for source in sources)
    return Matrix(stage, sources, destinations, cells)


def short_host(host: str) -> str:
    """`adservice.ad` for `adservice.ad.svc.cluster.local`: for a column's head."""
    return host.removesuffix(".cluster.local").removesuffix(".svc")


def seen(case: Evidence) -> str:
    """What a dense cell shows of a pass: `200`, `000`, or the verdict where there was no request."""
    word = case.observed.split(" ", 1)[0].rstrip(":,")
    return word if word.isdigit() else case.verdict.value


def request_line(case: Evidence) -> str:
    """What distinguishes requests of one destination (`RequestRecord.line`); empty where nothing is sent."""
    return case.request.line if case.request else ""
