"""Truth tables: for each stage, source by destination, with the cases between them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from clients.evidence import Evidence, Verdict

WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SKIP, Verdict.PASS)


@dataclass(frozen=True)
class Stage:
    """Cases that were judged in one state of the mesh, in order."""

    suite: str
    name: str
    cases: tuple[Evidence, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst one."""
        return min((case.verdict for case in self.cases), key=WORST_FIRST.index)

    @property
    def tally(self) -> str:
        """`3 pass, 1 fail`."""
        counts = {verdict: sum(case.verdict is verdict for case in self.cases) for verdict in WORST_FIRST}
        return ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)


@dataclass(frozen=True)
class Matrix:
    """`cells[row][column]` holds the cases from `sources[row]` to `destinations[column]`."""

    stage: Stage
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: tuple[tuple[tuple[Evidence, ...], ...], ...]


def stages(cases: Sequence[Evidence]) -> tuple[Stage, ...]:
    """The cases by suite and stage, in the order in which each first occurs."""
    grouped: dict[tuple[str, str], list[Evidence]] = {}
    for case in cases:
        grouped.setdefault((case.suite, case.stage), []).append(case)
    return tuple(Stage(suite, name, tuple(group)) for (suite, name), group in grouped.items())


def matrix(stage: Stage) -> Matrix | None:
    """The stage's table; None when none of its cases goes from a workload to a host."""
    flows = [case for case in stage.cases if case.source and case.destination]
    if not flows:
        return None
    sources = tuple(dict.fromkeys(case.source for case in flows))
    destinations = tuple(dict.fromkeys(case.destination for case in flows))
    cells = tuple(
        tuple(tuple(c for c in flows if (c.source, c.destination) == (source, there)) for there in destinations)
        for source in sources
    )
    return Matrix(stage, sources, destinations, cells)


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
