"""One side of a comparison: one run, or several of the same kind, of which each case keeps its worst mark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clients.model.counted import counted
from clients.model.evidence import Evidence, Verdict
from reports.marks import WORDS, WORST_FIRST, mark
from reports.record.model import Report


@dataclass(frozen=True)
class Side:
    """The runs of one side, in the order in which they were given."""

    runs: tuple[Report, ...]

    @cached_property
    def _all(self) -> Mapping[str, list[Evidence]]:
        found: dict[str, list[Evidence]] = defaultdict(list)
        for run in self.runs:
            for case in run.cases:
                found[case.id].append(case)
        return found

    @cached_property
    def cases(self) -> dict[str, Evidence]:
        """Case id → its worst evidence, of the last run that has it; in the order of the runs."""
        return {key: min(reversed(found), key=_badness) for key, found in self._all.items()}

    def tally(self, key: str) -> str:
        """`fail in 1 of 3 runs`; empty where all runs agree, and with one run."""
        found = self._all.get(key, [])
        if len(found) < 2 or len({mark(case) for case in found}) == 1:
            return ""
        worst = mark(self.cases[key])
        return f"{WORDS[worst]} in {sum(mark(case) == worst for case in found)} of {counted(len(found), 'run')}"

    def was_planned(self, key: str) -> bool:
        """Whether a run selected the case and came to no record of it."""
        return any(key in run.not_run for run in self.runs)

    def controls(self) -> dict[str, set[str]]:
        """Control → the ids of its cases."""
        found: dict[str, set[str]] = defaultdict(set)
        for key, case in self.cases.items():
            found[case.control].add(key)
        return found

    @cached_property
    def timed(self) -> set[str]:
        """The cases that became stable in at least one run."""
        return {key for times in self._times for key in times}

    def times_of(self, cases: set[str]) -> list[float]:
        """Seconds until all of these cases were stable, of each run in which they all passed and have a time."""
        return [max(times[key] for key in cases) for times in self._times if cases <= times.keys()]

    @cached_property
    def _times(self) -> list[dict[str, float]]:
        """Of each run: case → its time to stable. That of a failure only says how long the harness waited."""
        return [
            {
                case.id: case.time_to_stable_s
                for case in run.cases
                if case.verdict is Verdict.PASS and case.time_to_stable_s is not None
            }
            for run in self.runs
        ]


def side(runs: Report | Sequence[Report] | Side) -> Side:
    """A side of one run or of several."""
    if isinstance(runs, Side):
        return runs
    return Side((runs,) if isinstance(runs, Report) else tuple(runs))


def _badness(case: Evidence) -> int:
    return WORST_FIRST.index(mark(case))
