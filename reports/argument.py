"""Why a verdict is to be believed: the chain of findings of a case, each with what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clients.model.evidence import Evidence, Phase, Verdict
from reports.attempts import of_case, one_line, ran


@dataclass(frozen=True)
class Finding:
    """One link of the chain. `held` is None where the finding by itself proves neither.

    `twin` names the control that the finding points at.
    """

    name: str
    held: bool | None
    text: str
    twin: str = ""


def findings(case: Evidence) -> tuple[Finding, ...]:
    """The chain: baseline, change, stability, twin, then the case's own proof. Empty for what was skipped."""
    if case.verdict is Verdict.SKIP:
        return ()
    return (*_baseline(case), *_change(case), *_stability(case), *_twin(case), *_proof(case), *_lost(case))


def _baseline(case: Evidence) -> Iterator[Finding]:
    before = [a for a in case.attempts if a.phase is Phase.BASELINE]
    if before:
        answers = ", ".join(dict.fromkeys(one_line(a.summary) for a in before))
        good = sum(a.matched for a in before)
        yield Finding(
            "Before the change", good == len(before), f"{answers}; {good} of {len(before)} probes as expected"
        )


def _looked(case: Evidence) -> bool:
    """Whether it was looked at, and not probed: what it takes is in the expectation then, a twin included."""
    return bool(case.attempts) and not any(attempt.request_id for attempt in case.attempts)


def _change(case: Evidence) -> Iterator[Finding]:
    probes = of_case(case)
    if case.time_to_first_s is not None:
        since = "after the first look" if _looked(case) else "after the change"
        text = f"{case.expected}; first seen {case.time_to_first_s:.2f} s {since}"
        yield Finding("Pinned outcome", True, text)
    elif probes:
        answers = ", ".join(dict.fromkeys(one_line(a.summary) for a in probes))
        yield Finding("Pinned outcome", False, f"{case.expected} never seen in {len(probes)} probes; seen: {answers}")


def _stability(case: Evidence) -> Iterator[Finding]:
    if case.time_to_first_s is None or _looked(case):
        return
    flaps = f"{case.flaps} flap{'' if case.flaps == 1 else 's'}"
    if case.time_to_stable_s is None:
        wanted = f"{case.confirmations} matches in a row" if case.confirmations else "enough matches in a row"
        yield Finding("It stayed", False, f"{wanted} were not reached in {case.duration_s:.1f} s; {flaps}")
    else:
        row = f"{case.confirmations} in a row, each on a fresh connection, until {case.time_to_stable_s:.2f} s; {flaps}"
        yield Finding("It stayed", True, row)


def _twin(case: Evidence) -> Iterator[Finding]:
    if case.twin:
        twin = case.twin
        text = f"{twin.sent}: " if twin.sent else ""
        text += f"expected {twin.expected}, saw {twin.observed}"
        text += f"; request {twin.request_id}" if twin.request_id else ""
        yield Finding("Twin", twin.verdict is Verdict.PASS, text, twin.control)
    elif case.polarity == "deny" and not _looked(case):
        yield Finding("Twin", None, "not proven: nothing here shows that the path itself works")


def _proof(case: Evidence) -> Iterator[Finding]:
    held = True if case.verdict is Verdict.PASS else None
    for name, text in case.proof.items():
        yield Finding(one_line(name.replace("_", " ")).capitalize(), held, text)


def _lost(case: Evidence) -> Iterator[Finding]:
    lost = sum(not ran(attempt) for attempt in case.attempts)
    if lost:
        yield Finding(
            "Probes", False, f"{lost} of {len(case.attempts)} did not run; they count as neither match nor mismatch"
        )
