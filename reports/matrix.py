"""Truth tables: for each stage, source by destination, with the cases between them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from clients.model.evidence import Evidence, Verdict

DENSE_FROM = 7
"""Destinations from which a table shows what was observed and nothing else: fifty columns must fit a screen."""
BULK_FROM = 25
"""Cells of one control that passed, from which they are told by a line each instead of a part of their own."""

WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SKIP, Verdict.PASS)


@dataclass(frozen=True)
class MatrixStage:
    """Cases that were judged in one state of the mesh, in order."""

    suite: str
    name: str
    cases: tuple[Evidence, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst one."""
        return min((case.verdict for case in self.cases), key=WORST_FIRST.index)

    @property
    def bulk(self) -> tuple[Evidence, ...]:
        """Cells of large tables that passed and refuse nobody: there is no proof to tell beside the outcome."""
        plain = [case for case in self.cases if case.verdict is Verdict.PASS and case.twin is None]
        many = {control for control, number in Counter(case.control for case in plain).items() if number >= BULK_FROM}
        return tuple(case for case in plain if case.control in many)

    @property
    def single(self) -> tuple[Evidence, ...]:
        """All others, in order."""
        bulk = {case.id for case in self.bulk}
        return tuple(case for case in self.cases if case.id not in bulk)

    @property
    def tally(self) -> str:
        """`3 pass, 1 fail`."""
        counts = {verdict: sum(case.verdict is verdict for case in self.cases) for verdict in WORST_FIRST}
        return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)


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


def request_line(command: str) -> str:
    """What tells requests of one path apart: `GET /ip`, `POST /ip, with token`; empty when it is no curl command."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    url = next((word for word in reversed(words) if "://" in word), "")  # the last: header values hold some too
    if not url:
        return ""
    path = "/" + url.split("://", 1)[1].partition("/")[2]
    method = "GET"
    for flag, value in pairwise(words):
        if flag in ("-X", "--request"):
            method = value
    token = any(word.lower().startswith("authorization:") for word in words)
    return f"{method} {path}" + (", with token" if token else "")
