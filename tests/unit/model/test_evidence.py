from __future__ import annotations

from itertools import permutations

import pytest

from clients.model.attempt import Attempt, Phase
from clients.model.evidence import Evidence, Finding, FindingVerdict, Grade, Subject, Verdict, judge
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord

pytestmark = pytest.mark.unit

SUBJECT = Subject(
    control="LAB-MTLS-03",
    id="LAB-MTLS-03[x]",
    title="A plaintext call is refused",
    polarity="deny",
    request=RequestRecord("GET", "http://httpbin.mtls-service:8000/ip", "/ip"),
    expected="000 reset (56)",
)


def finding(verdict: FindingVerdict, name: str = "twin") -> Finding:
    return Finding(name, f"saw {verdict}", verdict)


PASS, FAIL, MISSING, UNCHECKED = (
    finding(verdict)
    for verdict in (
        FindingVerdict.PASS,
        FindingVerdict.FAIL,
        FindingVerdict.INCONCLUSIVE,
        FindingVerdict.NOT_CHECKED,
    )
)


def test_a_record_has_all_fields_of_its_subject() -> None:
    evidence = Evidence.of(SUBJECT, Verdict.SKIP, "no mesh", worker="gw0")
    assert {name: getattr(evidence, name) for name in vars(SUBJECT)} == vars(SUBJECT)
    assert (evidence.verdict, evidence.reason, evidence.worker, evidence.grade) == (
        Verdict.SKIP,
        "no mesh",
        "gw0",
        None,
    )


def test_a_record_can_begin_with_another_record() -> None:
    first = Evidence.of(SUBJECT, Verdict.PASS, flaps=3)
    assert Evidence.of(first, Verdict.FAIL) == Evidence.of(SUBJECT, Verdict.FAIL)


@pytest.mark.parametrize(
    ("found", "verdict", "grade"),
    [
        ([], Verdict.PASS, Grade.FULL),
        ([PASS, PASS], Verdict.PASS, Grade.FULL),
        ([PASS, UNCHECKED], Verdict.PASS, Grade.REDUCED),
        ([PASS, UNCHECKED, MISSING], Verdict.INCONCLUSIVE, None),
        ([PASS, UNCHECKED, MISSING, FAIL], Verdict.FAIL, None),
    ],
)
def test_the_worst_finding_decides_in_any_order(found: list[Finding], verdict: Verdict, grade: Grade | None) -> None:
    assert {judge(some)[:2] for some in permutations(found)} == {(verdict, grade)}


def test_the_reason_names_every_finding_of_the_deciding_kind() -> None:
    found = [FAIL, MISSING, finding(FindingVerdict.FAIL, "backend log")]
    assert judge(found)[2] == "twin: saw fail; backend log: saw fail"
    assert judge([PASS])[2] == ""


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_only_an_infrastructure_outcome_did_not_run(kind: OutcomeKind) -> None:
    attempt = Attempt(0.1, Phase.CONVERGE, False, "infrastructure: as text", "mp-1", kind=kind)
    assert attempt.ran is (kind is not OutcomeKind.INFRASTRUCTURE)
