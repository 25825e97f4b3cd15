"""What the page's script knows of every case without building it: where it is, and what filters and search ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clients.model.evidence import Evidence
from reports.kinds import policy_kinds
from reports.marks import WORDS, mark
from reports.matrix import MatrixStage, request_line


@dataclass(frozen=True)
class Index:
    """The cases in the order of the page.

    Attributes:
        anchors: case → its unique id in the page: `LAB-MTLS-03`, `LAB-JWT-04.expired`.
        places: case → its number in the page.
    """

    groups: tuple[MatrixStage, ...]
    anchors: Mapping[str, str]
    places: Mapping[str, int]

    @cached_property
    def twins(self) -> dict[str, str]:
        """Control → anchor of its first case."""
        found: dict[str, str] = {}
        for case in self.cases:
            found.setdefault(case.control, self.anchors[case.id])
        return found

    @cached_property
    def cases(self) -> tuple[Evidence, ...]:
        """All cases as the page has them: by stage, those of large tables last."""
        return tuple(case for stage in self.groups for case in (*stage.single, *stage.bulk))

    @property
    def suites(self) -> tuple[str, ...]:
        """Suites that occur, sorted."""
        return tuple(sorted({case.suite for case in self.cases} - {""}))

    @property
    def polarities(self) -> tuple[str, ...]:
        """Polarities that occur, sorted."""
        return tuple(sorted({case.polarity for case in self.cases} - {""}))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of policies that occur, sorted."""
        return tuple(sorted({kind for case in self.cases for kind in policy_kinds(case.applied)}))

    def text(self) -> str:
        """All of it as JSON."""
        rows = [
            [
                self.anchors[case.id],
                mark(case),
                number,
                case.suite,
                case.polarity,
                list(policy_kinds(case.applied)),
                int(case.slow),
                case.flaps,
                _searched(case),
            ]
            for number, stage in enumerate(self.groups)
            for case in (*stage.single, *stage.bulk)
        ]
        taken = set(self.anchors.values())
        controls = {control: anchor for control, anchor in self.twins.items() if control not in taken}
        return json.dumps({"cases": rows, "controls": controls}, ensure_ascii=False, separators=(",", ":"))


def index(groups: Sequence[MatrixStage]) -> Index:
    """The index of a page with these stages."""
    cases = [case for stage in groups for case in (*stage.single, *stage.bulk)]
    return Index(tuple(groups), _anchors(cases), {case.id: place for place, case in enumerate(cases)})


def _searched(case: Evidence) -> str:
    """What a search finds it by: its own words, and those of its cell in the truth table."""
    words = (
        case.id, case.title, WORDS[mark(case)], case.reason, case.why, case.stage, case.stage_title, case.source,
        case.destination, request_line(case), case.expected, case.observed, case.suite,
    )  # fmt: skip
    return " ".join(filter(None, words)).lower()


def _anchors(cases: Iterable[Evidence]) -> dict[str, str]:
    anchors: dict[str, str] = {}
    used: set[str] = set()
    for case in cases:
        base = re.sub(r"[^A-Za-z0-9_-]+", ".", case.id).strip(".") or "case"
        anchor, number = base, 2
        while anchor in used:
            anchor, number = f"{base}.{number}", number + 1
        used.add(anchor)
        anchors[case.id] = anchor
    return anchors
