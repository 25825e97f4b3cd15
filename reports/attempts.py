"""Attempts as people read them: equal neighbours folded into one row. A case has hundreds of probes, few stories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from clients.model.attempt import Attempt, Phase
from clients.model.evidence import Evidence
from clients.model.printable import printable

PHASES = {
    Phase.BASELINE: "before the change",
    Phase.CONVERGE: "waiting for it",
    Phase.CONFIRM: "confirming",
    Phase.TWIN: "twin",
}
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Fold:
    """Attempts in a row of the same phase with the same answer; times in seconds since the change."""

    attempts: tuple[Attempt, ...]

    @property
    def first(self) -> Attempt:
        """The earliest."""
        return self.attempts[0]

    @property
    def last(self) -> Attempt:
        """The latest."""
        return self.attempts[-1]

    @property
    def phase(self) -> str:
        """In words."""
        return PHASES[self.first.phase]

    @property
    def when(self) -> str:
        """`+0.31 s`, or `+0.31 … +0.62 s` for several."""
        start, end = f"{self.first.at_s:+.2f}", f"{self.last.at_s:+.2f}"
        return f"{start} s" if start == end else f"{start} … {end} s"

    @property
    def text(self) -> str:
        """One line: time, number of probes, answer, phase, and whether it is the expected one."""
        verdict = "as expected" if self.first.matched else self.first.problem or "not as expected"
        answer = f"{len(self.attempts):>3} {TIMES} {one_line(self.first.summary)}"
        return f"{self.when:<20} {answer} ({self.phase}): {one_line(verdict)}"


def fold(attempts: Iterable[Attempt]) -> tuple[Fold, ...]:
    """The attempts in order, equal neighbours as one."""
    return tuple(Fold(tuple(group)) for _, group in groupby(attempts, key=_story))


def of_case(case: Evidence) -> tuple[Attempt, ...]:
    """Attempts of the case itself after the change: neither baseline nor twin."""
    return tuple(a for a in case.attempts if a.phase in (Phase.CONVERGE, Phase.CONFIRM))


def one_line(text: str) -> str:
    """Runs of white space, line ends too, as one blank; other control characters as escapes."""
    return printable(text)


def _story(attempt: Attempt) -> tuple[str, str, bool, str, str]:
    return attempt.phase, attempt.kind, attempt.matched, attempt.summary, attempt.problem
