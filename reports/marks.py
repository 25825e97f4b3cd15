"""The signs and words of verdicts, the same in every report. A verdict has a sign and a word, never a colour alone."""

from __future__ import annotations

from typing import Protocol

from clients.model.evidence import Evidence, Finding, FindingVerdict, Grade, Verdict
from clients.model.known import KnownFailure

REDUCED = "reduced"
"""Key of a pass whose proof could not be looked at as a whole."""
KNOWN = "known"
"""Key of a failure that an entry of a list of known failures excuses."""
NOT_RUN = "not-run"

GLYPHS = {"pass": "✓", REDUCED: "◐", "fail": "✕", KNOWN: "⊗", "inconclusive": "?", "skip": "\N{EN DASH}",
          NOT_RUN: "○"}  # fmt: skip
WORDS = {"pass": "pass", REDUCED: "pass, reduced", "fail": "fail", KNOWN: "known failure",
         "inconclusive": "inconclusive", "skip": "skip", NOT_RUN: "not run"}  # fmt: skip
WORST_FIRST = ("fail", "inconclusive", NOT_RUN, KNOWN, "skip", REDUCED, "pass")

FINDING_GLYPHS = {
    FindingVerdict.PASS: "✓",
    FindingVerdict.FAIL: "✕",
    FindingVerdict.INCONCLUSIVE: "?",
    FindingVerdict.NOT_CHECKED: "○",
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


def mark(case: Judged) -> str:
    """Key of a case in `GLYPHS` and `WORDS`: its verdict, `reduced`, or `known`."""
    if case.verdict is Verdict.FAIL and case.known:
        return KNOWN
    return REDUCED if case.verdict is Verdict.PASS and case.grade is Grade.REDUCED else case.verdict.value


def not_checked(case: Evidence) -> tuple[Finding, ...]:
    """What could not be looked at."""
    return tuple(finding for finding in case.findings if finding.verdict is FindingVerdict.NOT_CHECKED)


def finding_line(finding: Finding) -> str:
    """`✓ backend log: 31 request ids absent`, `○ access log: not checked: it is not available on this target`."""
    prefix = "not checked: " if finding.verdict is FindingVerdict.NOT_CHECKED else ""
    return f"{FINDING_GLYPHS[finding.verdict]} {finding.name}: {prefix}{finding.text}"
