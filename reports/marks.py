"""The signs and words of verdicts, the same in every report. A verdict has a sign and a word, never a colour alone."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from clients.model.evidence import Evidence, Finding, FindingVerdict, Grade, Verdict
from clients.model.known import KnownFailure


class Mark(StrEnum):
    """What a case counts as in reports: its verdict, split where a verdict alone says too little."""

    PASS = "pass"
    REDUCED = "reduced"
    """A pass whose proof could not be looked at as a whole."""
    FAIL = "fail"
    KNOWN = "known"
    """A failure that an entry of a list of known failures excuses."""
    INCONCLUSIVE = "inconclusive"
    SKIP = "skip"
    NOT_RUN = "not-run"
    """A case that was planned and has no record."""


GLYPHS = {
    Mark.PASS: "✓",
    Mark.REDUCED: "◐",
    Mark.FAIL: "✕",
    Mark.KNOWN: "⊗",
    Mark.INCONCLUSIVE: "?",
    Mark.SKIP: "\N{EN DASH}",
    Mark.NOT_RUN: "○",
}
WORDS = {
    Mark.PASS: "pass",
    Mark.REDUCED: "pass, reduced",
    Mark.FAIL: "fail",
    Mark.KNOWN: "known failure",
    Mark.INCONCLUSIVE: "inconclusive",
    Mark.SKIP: "skip",
    Mark.NOT_RUN: "not run",
}
WORST_FIRST = (Mark.FAIL, Mark.INCONCLUSIVE, Mark.NOT_RUN, Mark.KNOWN, Mark.SKIP, Mark.REDUCED, Mark.PASS)

FINDING_GLYPHS = {
    FindingVerdict.PASS: GLYPHS[Mark.PASS],
    FindingVerdict.FAIL: GLYPHS[Mark.FAIL],
    FindingVerdict.INCONCLUSIVE: GLYPHS[Mark.INCONCLUSIVE],
    FindingVerdict.NOT_CHECKED: GLYPHS[Mark.NOT_RUN],
}
FINDING_WORDS = {
    FindingVerdict.PASS: "pass",
    FindingVerdict.FAIL: "fail",
    FindingVerdict.INCONCLUSIVE: "inconclusive",
    FindingVerdict.NOT_CHECKED: "not checked",
}


class Judged(Protocol):
    """What the mark of a case depends on."""

    @property
    def verdict(self) -> Verdict:
        """What the case showed."""

    @property
    def grade(self) -> Grade | None:
        """Of a pass."""

    @property
    def known(self) -> KnownFailure | None:
        """The entry that excuses the failure."""


def mark(case: Judged) -> Mark:
    """The mark of a case: its verdict, `reduced`, or `known`."""
    if case.verdict is Verdict.FAIL and case.known:
        return Mark.KNOWN
    return Mark.REDUCED if case.verdict is Verdict.PASS and case.grade is Grade.REDUCED else Mark(case.verdict.value)


def not_checked(case: Evidence) -> tuple[Finding, ...]:
    """What could not be looked at."""
    return tuple(finding for finding in case.findings if finding.verdict is FindingVerdict.NOT_CHECKED)


def finding_line(finding: Finding) -> str:
    """`✓ backend log: 31 request ids absent`, `○ access log: not checked: it is not available on this target`."""
    prefix = "not checked: " if finding.verdict is FindingVerdict.NOT_CHECKED else ""
    return f"{FINDING_GLYPHS[finding.verdict]} {finding.name}: {prefix}{finding.text}"
