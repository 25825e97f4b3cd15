"""Tells known failures from others, by the lists that count for the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clients.model.evidence import Evidence, Verdict
from clients.model.known import KnownFailure, excusing
from clients.model.outcome import OutcomeKind

KNOWN_BUDGET_S = 4.0


@dataclass(frozen=True)
class Excuses:
    """The entries of a run, the same in all its processes.

    Attributes:
        day: the run's beginning, which decides what has expired: a run that crosses midnight judges by one day.
    """

    entries: tuple[KnownFailure, ...]
    day: str

    def budget_s(self, case: str, mesh: str) -> float | None:
        """Seconds to wait for the outcome of a case whose failure may be known; None for the run's own budget.

        The stage has settled by then, so that an outcome which comes at all comes soon.
        """
        about = (entry for entry in self.entries if entry.names(case) and entry.fits(mesh))
        return KNOWN_BUDGET_S if any(not entry.expired(self.day) for entry in about) else None

    def of(self, evidence: Evidence, mesh: str) -> Evidence:
        """The evidence, with the entry that excuses it where it is a failure that an entry in force is about.

        Only what the mesh did is excused. An inconclusive case says nothing about the mesh, so that a known failure
        cannot explain it; nor is a proof excused that `--enforce` alone finds too weak.

        Args:
            mesh: version of the mesh under test.
        """
        if evidence.verdict is not Verdict.FAIL:
            return evidence
        made = replace(evidence, reason=_reason(evidence, mesh))
        return replace(
            made, known=excusing(self.entries, evidence.id, observed=evidence.observed, mesh=mesh, day=self.day)
        )


def all_known(evidence: Sequence[Evidence], bad: Iterable[Verdict]) -> bool:
    """Whether there are failures among these, and every one of them is known."""
    wrong = [one for one in evidence if one.verdict in bad]
    return bool(wrong) and all(one.known for one in wrong)


def _reason(evidence: Evidence, mesh: str) -> str:
    """Of a denial that an advisory is about, and that was answered instead: what the mesh is open to."""
    answered = evidence.attempts and evidence.attempts[-1].kind is OutcomeKind.STATUS
    if evidence.advisory and evidence.polarity == "deny" and answered and evidence.time_to_first_s is None:
        return evidence.advisory.opened(evidence.reason, mesh)
    return evidence.reason
