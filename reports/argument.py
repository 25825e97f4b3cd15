"""Why a verdict is to be believed: the chain of a case, each link with what was seen and with its own verdict.

Links come from the attempts (before the change, the outcome, its stability) and from the findings of the proof. What
both show is one link: the text of the attempts with the verdict of the finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clients.model.attempt import Attempt, Phase
from clients.model.counted import counted
from clients.model.evidence import BEFORE_CHANGE, TWIN, Evidence, Finding, FindingVerdict, Verdict
from clients.model.outcome import OutcomeKind
from reports.attempts import of_case, one_line
from reports.marks import FINDING_GLYPHS, FINDING_WORDS


@dataclass(frozen=True)
class ChainLink:
    """One link of the chain. `twin` is the id of the control that it points at."""

    name: str
    verdict: FindingVerdict
    text: str
    twin: str = ""

    @property
    def glyph(self) -> str:
        """The sign of its verdict."""
        return FINDING_GLYPHS[self.verdict]

    @property
    def word(self) -> str:
        """Its verdict in words."""
        return FINDING_WORDS[self.verdict]

    @property
    def line(self) -> str:
        """The text in one line, with `not checked` before it where that is so."""
        return ("not checked: " if self.verdict is FindingVerdict.NOT_CHECKED else "") + one_line(self.text)


def chain(case: Evidence) -> tuple[ChainLink, ...]:
    """Baseline, change, stability, twin, then every other finding in order. Empty for what was skipped."""
    if case.verdict is Verdict.SKIP:
        return ()
    links = (*_baseline(case), *_change(case), *_stability(case), *_twin(case))
    return (*links, *(_link(finding) for finding in _further(case)), *_lost(case))


def _baseline(case: Evidence) -> Iterator[ChainLink]:
    before = [attempt for attempt in case.attempts if attempt.phase is Phase.BASELINE]
    if not before:
        return
    answers = ", then ".join(dict.fromkeys(one_line(attempt.summary) for attempt in before))
    good = sum(attempt.matched for attempt in before)
    verdict = FindingVerdict.PASS if before[-1].matched else _worst(before)  # it may have had to converge, too
    finding = _named(case, BEFORE_CHANGE)
    text = f"{answers}; {good} of {counted(len(before), 'probe')} as expected"
    if finding and finding.verdict is not FindingVerdict.PASS:
        text = f"{finding.text}; {text}"
    yield ChainLink("Before the change", finding.verdict if finding else verdict, text)


def _looked(case: Evidence) -> bool:
    """Whether it was looked at, and not probed: what it takes is in the expectation then, a twin included."""
    return any(attempt.kind is OutcomeKind.LOOK for attempt in case.attempts)


def _change(case: Evidence) -> Iterator[ChainLink]:
    probes = of_case(case)
    if case.time_to_first_s is not None:
        since = "after the first look" if _looked(case) else "after the change"
        text = f"{case.expected}; first seen {case.time_to_first_s:.2f} s {since}"
        yield ChainLink("Pinned outcome", FindingVerdict.PASS, text)
    elif probes:
        answers = ", ".join(dict.fromkeys(one_line(attempt.summary) for attempt in probes))
        text = f"{case.expected} never seen in {counted(len(probes), 'probe')}; seen: {answers}"
        yield ChainLink("Pinned outcome", _worst(probes), text)


def _stability(case: Evidence) -> Iterator[ChainLink]:
    if case.time_to_first_s is None or _looked(case):
        return
    flaps = counted(case.flaps, "flap")
    if case.time_to_stable_s is None:
        wanted = f"{case.confirmations} matches in a row" if case.confirmations else "enough matches in a row"
        text = f"{wanted} were not reached in {case.duration_s:.1f} s; {flaps}"
        failed = case.verdict is Verdict.FAIL
        yield ChainLink("It stayed", FindingVerdict.FAIL if failed else FindingVerdict.INCONCLUSIVE, text)
    else:
        stable = f"{case.time_to_stable_s:.2f} s"
        last = f"{_last_match(case):.2f} s" if _last_match(case) is not None else stable
        row = f"{case.confirmations} in a row, each on a fresh connection, until {last}"
        row += f" (stable after {stable})" if last != stable else ""  # by what the stage saw, or a marker
        yield ChainLink("It stayed", FindingVerdict.PASS, f"{row}; {flaps}")


def _last_match(case: Evidence) -> float | None:
    """When the row of matches at the end of the case ended, in seconds since the change; None where there is none."""
    probes = [attempt for attempt in of_case(case) if attempt.ran]
    return probes[-1].at_s if probes and probes[-1].matched else None


def _twin(case: Evidence) -> Iterator[ChainLink]:
    finding = _named(case, TWIN)
    if case.twin:
        twin = case.twin
        text = f"{twin.sent}: " if twin.sent else ""
        text += f"expected {twin.expected}, saw {twin.observed}"
        text += f"; request {twin.request_id}" if twin.request_id else ""
        yield ChainLink("Twin", finding.verdict if finding else FindingVerdict.of(twin.verdict), text, twin.control)
    elif case.polarity == "deny" and not finding and not _looked(case):
        text = "it was not sent, so nothing here shows that the path itself works"
        yield ChainLink("Twin", FindingVerdict.NOT_CHECKED, text, case.twin_control)


def _further(case: Evidence) -> Iterator[Finding]:
    """The findings that no other link shows."""
    shown = {TWIN} if case.twin else set()
    shown |= {BEFORE_CHANGE} if any(attempt.phase is Phase.BASELINE for attempt in case.attempts) else set()
    for finding in case.findings:
        if finding.name in shown:
            shown.remove(finding.name)  # a second one of the name says something else
        else:
            yield finding


def _link(finding: Finding) -> ChainLink:
    name = one_line(finding.name.replace("_", " "))
    return ChainLink(name[:1].upper() + name[1:], finding.verdict, finding.text)


def _lost(case: Evidence) -> Iterator[ChainLink]:
    lost = sum(not attempt.ran for attempt in case.attempts)
    if lost:
        text = f"{lost} of {len(case.attempts)} did not run; they count as neither match nor mismatch"
        yield ChainLink("Probes", FindingVerdict.INCONCLUSIVE, text)


def _named(case: Evidence, name: str) -> Finding | None:
    return next((finding for finding in case.findings if finding.name == name), None)


def _worst(attempts: list[Attempt] | tuple[Attempt, ...]) -> FindingVerdict:
    """Of attempts that did not show what they had to: a fault only where at least one of them ran."""
    wrong = any(attempt.ran and not attempt.matched for attempt in attempts)
    return FindingVerdict.FAIL if wrong else FindingVerdict.INCONCLUSIVE
