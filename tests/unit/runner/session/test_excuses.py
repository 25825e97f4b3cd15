"""What an entry of known failures excuses, and what it must not."""

from __future__ import annotations

from typing import Any

import pytest

from clients.model.attempt import Attempt, Phase
from clients.model.evidence import Evidence, Subject, Verdict
from clients.model.known import Advisory, KnownFailure
from clients.model.outcome import OutcomeKind
from runner.session.needs.excuses import KNOWN_BUDGET_S, Excuses, all_known
from runner.session.record import BAD

pytestmark = pytest.mark.unit

ENTRY = KnownFailure("LAB-JWT-04", "us", "https://x", "2026-11-30", mesh="1.31")
EXCUSES = Excuses((ENTRY,), "2026-11-30T10:00:00Z")


def evidence(verdict: str = "fail", **rest: Any) -> Evidence:
    subject = Subject(control="LAB-JWT-04", id="LAB-JWT-04[expired]", polarity="deny")
    return Evidence.of(subject, Verdict(verdict), "why", **rest)


def test_a_known_failure_is_not_waited_for_as_long_as_another() -> None:
    assert EXCUSES.budget_s("LAB-JWT-04[expired]", "1.31.1") == KNOWN_BUDGET_S
    assert EXCUSES.budget_s("LAB-JWT-04[expired]", "1.29.1") is None
    assert EXCUSES.budget_s("LAB-JWT-05", "1.31.1") is None
    assert Excuses((ENTRY,), "2026-12-01").budget_s("LAB-JWT-04", "1.31.1") is None


@pytest.mark.parametrize("verdict", ["pass", "inconclusive", "skip"])
def test_only_a_failure_is_excused(verdict: str) -> None:
    assert EXCUSES.of(evidence(), "1.31.1").known is ENTRY
    assert EXCUSES.of(evidence(verdict), "1.31.1").known is None
    assert EXCUSES.of(evidence(), "1.29.1").known is None


def test_one_failure_that_is_not_known_fails_all() -> None:
    excused, other = EXCUSES.of(evidence(), "1.31.1"), evidence("inconclusive")
    assert all_known([excused, evidence("pass")], BAD)
    assert not all_known([excused, other], BAD)
    assert not all_known([evidence("pass")], BAD), "nothing failed: there is nothing to excuse"


def answered(kind: OutcomeKind) -> tuple[Attempt, ...]:
    return (Attempt(0.1, Phase.CONVERGE, False, "", "", "expected 403, saw 200", kind=kind),)


def test_a_denial_that_was_answered_names_the_advisory() -> None:
    advisory = Advisory("CVE-1", "https://x", ("1.29.2",))
    opened = evidence(advisory=advisory, attempts=answered(OutcomeKind.STATUS))
    assert EXCUSES.of(opened, "1.31.1").reason == "open to CVE-1; patched in 1.29.2, no release is listed for 1.31; why"
    for other in (
        evidence(advisory=advisory, attempts=answered(OutcomeKind.RESET)),
        evidence(advisory=advisory, attempts=answered(OutcomeKind.STATUS), time_to_first_s=0.1),
        evidence(advisory=advisory),
        evidence("inconclusive", advisory=advisory, attempts=answered(OutcomeKind.STATUS)),
        evidence(attempts=answered(OutcomeKind.STATUS)),
    ):
        assert EXCUSES.of(other, "1.31.1").reason == "why"
