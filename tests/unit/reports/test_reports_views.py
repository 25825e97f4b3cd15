"""What all reports draw from: folded attempts, findings, truth tables and timelines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import a_case, found, kind_of, sample_report

from clients.model.attempt import Attempt, Phase
from clients.model.evidence import Evidence, FindingVerdict, TwinProof, Verdict
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord
from reports.argument import chain
from reports.attempts import fold
from reports.html.timeline import describe, timeline
from reports.matrix import matrix, request_line, stages

pytestmark = pytest.mark.unit


def _case(key: str) -> Evidence:
    return next(case for case in sample_report().cases if case.id == key)


def _attempt(at: float, summary: str, matched: bool, phase: Phase = Phase.CONVERGE) -> Attempt:
    problem = "" if matched else f"saw {summary}"
    return Attempt(at, phase, matched, summary, f"mp-{at}", problem, kind=kind_of(summary))


def _marks(case: Evidence) -> dict[str, list[str]]:
    line = timeline(case)
    assert line is not None
    return {lane.label: [mark.kind for mark in lane.marks] for lane in line.lanes}


def test_equal_neighbours_fold_and_all_attempts_are_kept() -> None:
    case = _case("LAB-MTLS-03")
    rows = fold(case.attempts)
    assert [row.phase for row in rows] == [
        "before the change",
        "waiting for it",
        "waiting for it",
        "confirming",
        "twin",
    ]
    assert sum((row.attempts for row in rows), ()) == case.attempts
    assert "29 × 000 reset (56) (confirming): as expected" in rows[3].text  # noqa: RUF001
    assert rows[0].when == "-1.90 … -1.84 s"


def test_the_time_of_the_confirmations_is_that_of_the_cases_own() -> None:
    case = _case("LAB-MTLS-03")
    last = max(attempt.at_s for attempt in case.attempts if attempt.phase is Phase.CONFIRM)
    settled = replace(case, time_to_stable_s=0.01)
    text = {link.name: link for link in chain(settled)}["It stayed"].text
    assert text == f"29 in a row, each on a fresh connection, until {last:.2f} s (stable after 0.01 s); 0 flaps"


@pytest.mark.parametrize(("number", "probes"), [(1, "1 probe"), (2, "2 probes")])
def test_one_probe_is_one(number: int, probes: str) -> None:
    case = _case("LAB-MTLS-03")
    before = [one for one in case.attempts if one.phase is Phase.BASELINE][:number]
    sent = [one for one in case.attempts if one.phase is Phase.CONFIRM][:number]
    links = {link.name: link.text for link in chain(replace(case, attempts=(*before, *sent), time_to_first_s=None))}
    assert links["Before the change"].endswith(f"{number} of {probes} as expected")
    assert f" never seen in {probes}; seen: " in links["Pinned outcome"]


def test_a_denial_shows_the_whole_chain_and_its_twin_once() -> None:
    links = {link.name: link for link in chain(_case("LAB-MTLS-03"))}
    names = ["Before the change", "Pinned outcome", "It stayed", "Twin", "Exec", "Backend log", "Access log"]
    assert [link.name for link in chain(_case("LAB-MTLS-03"))] == names
    assert all(link.verdict is FindingVerdict.PASS for link in links.values())
    assert links["Before the change"].text == "200; 3 of 3 probes as expected"
    assert links["It stayed"].text.startswith("29 in a row")
    assert links["Twin"].twin == "LAB-MTLS-01"


def test_what_was_not_looked_at_is_not_ticked() -> None:
    links = {link.name: link for link in chain(_case("LAB-JWT-04[expired]"))}
    assert links["Access log"].verdict is FindingVerdict.NOT_CHECKED
    assert (links["Access log"].glyph, links["Access log"].word) == ("○", "not checked")
    assert links["Backend log"].glyph == "✓"


@pytest.mark.parametrize("verdict", FindingVerdict)
def test_every_finding_keeps_its_own_verdict_whatever_became_of_the_case(verdict: FindingVerdict) -> None:
    for whole in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE):
        case = a_case(verdict=whole, findings=(found("backend log", "x", verdict), found("exec", "y")))
        links = {link.name: link.verdict for link in chain(case)}
        assert links["Backend log"] is verdict
        assert links["Exec"] is FindingVerdict.PASS


def test_findings_of_one_name_are_all_shown() -> None:
    findings = tuple(found("access log", f"hop {number}") for number in range(3))
    assert [link.text for link in chain(a_case(findings=findings)) if link.name == "Access log"] == [
        "hop 0", "hop 1", "hop 2"
    ]  # fmt: skip
    twice = (found("twin", "LAB-1 expected 200, saw 200"), found("twin", "by the other gateway: 200"))
    texts = [link.text for link in chain(a_case(findings=twice)) if link.name == "Twin"]
    assert len(texts) == 2
    assert texts[0].startswith("expected 200, saw 200; request mp-7c1e-")
    assert texts[1] == "by the other gateway: 200"


def test_what_does_not_hold_is_not_shown_as_held() -> None:
    never = {link.name: link.verdict for link in chain(_case("LAB-NSMTLS-03"))}
    assert never["Pinned outcome"] is FindingVerdict.FAIL
    assert "It stayed" not in never
    flapping = {link.name: link.verdict for link in chain(_case("LAB-AUTHZ-02"))}
    assert flapping["It stayed"] is FindingVerdict.FAIL
    assert flapping["Backend log"] is FindingVerdict.FAIL
    lost = {link.name: link for link in chain(_case("LAB-PATH-04"))}
    assert lost["Twin"].verdict is FindingVerdict.NOT_CHECKED
    assert lost["Twin"].twin == "LAB-PATH-01"
    assert lost["It stayed"].verdict is FindingVerdict.INCONCLUSIVE
    assert lost["Probes"].verdict is FindingVerdict.INCONCLUSIVE
    assert lost["Probes"].text.startswith("9 of ")


def test_a_twin_that_failed_and_a_baseline_that_was_wrong_are_shown() -> None:
    first, second, third, *rest = a_case().attempts
    case = a_case(
        twin=TwinProof("T-1", Verdict.FAIL, "200", "503", ""),
        attempts=(first, second, replace(third, matched=False), *rest),
        findings=(),
    )
    verdicts = {link.name: link.verdict for link in chain(case)}
    assert verdicts["Twin"] is FindingVerdict.FAIL
    assert verdicts["Before the change"] is FindingVerdict.FAIL


def test_a_state_before_that_had_to_come_first_is_no_fault_of_a_passed_case() -> None:
    first, second, *rest = a_case().attempts
    before = (replace(first, matched=False, summary="503"), second)
    link = chain(a_case(attempts=(*before, *rest), findings=()))[0]
    assert (link.verdict, link.text) == (FindingVerdict.PASS, "503, then 200; 2 of 3 probes as expected")


def test_probes_that_did_not_run_are_no_fault() -> None:
    lost = replace(_attempt(0.1, "infrastructure: pod gone", False), kind=OutcomeKind.INFRASTRUCTURE)
    case = a_case(attempts=(lost,), time_to_first_s=None, verdict=Verdict.INCONCLUSIVE, findings=(), twin=None)
    assert {link.verdict for link in chain(case)} == {FindingVerdict.INCONCLUSIVE, FindingVerdict.NOT_CHECKED}


def test_whether_a_probe_ran_is_its_kind_and_not_its_text() -> None:
    answered = replace(_attempt(0.1, "infrastructure", False), kind=OutcomeKind.STATUS)
    gone = replace(_attempt(0.2, "403", False), kind=OutcomeKind.INFRASTRUCTURE)
    case = a_case(attempts=(answered, gone), time_to_first_s=None, time_to_stable_s=None)
    assert _marks(case) == {"infrastructure": ["contrary"], "403": ["lost"]}
    assert chain(case)[-1].text.startswith("1 of 2 did not run")


def test_a_skipped_case_claims_nothing() -> None:
    assert chain(_case("LAB-DASH-01")) == ()


def test_the_truth_table_holds_every_case_once() -> None:
    report = sample_report()
    groups = stages(report.cases)
    assert sum(len(group.cases) for group in groups) == len(report.cases)
    table = matrix(next(group for group in groups if group.name == "mesh-wide-strict"))
    assert table is not None
    assert table.sources == ("mtls-client/sleep", "legacy-client/sleep")
    assert table.destinations == ("httpbin.mtls-service", "httpbin.legacy-service")
    ids = [[[case.id for case in cell] for cell in row] for row in table.cells]
    assert ids == [[["LAB-MTLS-01"], ["LAB-MTLS-02"]], [["LAB-MTLS-03"], ["LAB-MTLS-04"]]]


def test_a_stage_without_flows_has_no_table_and_its_worst_verdict_counts() -> None:
    groups = {group.name: group for group in stages(sample_report().cases)}
    assert matrix(groups["setup"]) is None
    assert groups["require-jwt"].worst == "fail"
    assert groups["require-jwt"].tally == "1 fail, 3 pass"


def test_a_stage_is_named_by_its_title_and_by_its_id_where_it_has_none() -> None:
    groups = {group.name: group for group in stages(sample_report().cases)}
    strict, setup = groups["mesh-wide-strict"], groups["setup"]
    assert (strict.title, strict.subtitle) == ("A mesh-wide policy demands mutual TLS", "mesh-wide-strict")
    assert (setup.title, setup.subtitle) == ("setup", "")
    assert stages([a_case(stage="", stage_title="")])[0].title == "no stage"


def test_a_stage_counts_reduced_proofs_apart() -> None:
    group = next(group for group in stages(sample_report().cases) if group.name == "request-authentication")
    assert group.tally == "6 pass (3 reduced)"
    assert group.worst == "reduced"


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (RequestRecord("GET", "http://a.b:8000/ip", "/ip"), "GET /ip"),
        (RequestRecord("POST", "http://a.b/x/y?z=1", "/x/y?z=1", "expired"), "POST /x/y?z=1, token: expired"),
        (RequestRecord("post", "http://a.b/", "/", protocol="HTTP/2", body="x"), "post /, HTTP/2, body 'x'"),
        (RequestRecord("", "tcp://a.b:9000", "/", protocol="TCP", body="PING\r\n"), r"bytes, TCP, body 'PING\r\n'"),
        (None, ""),
    ],
)
def test_the_request_in_short(request_: RequestRecord | None, line: str) -> None:
    command = "curl http://a.b/headers -H 'X-Forwarded-Client-Cert: URI=spiffe://forged'"
    assert request_line(a_case(request=request_, command=command)) == line


def test_a_timeline_has_a_lane_for_each_answer() -> None:
    line = timeline(_case("LAB-MTLS-03"))
    assert line is not None
    assert [(lane.label, lane.expected) for lane in line.lanes] == [("000 reset (56)", True), ("200", False)]
    assert line.first is not None
    assert line.stable is not None
    assert 0 < line.split < line.zero < line.first < line.stable <= 100
    assert all(0 <= mark.x <= 100 for lane in line.lanes for mark in lane.marks)
    assert line.lanes[-1].y < line.floor < line.height
    before = [mark.x for mark in line.lanes[1].marks if mark.kind == "before"]
    assert before
    assert max(before) < line.split


def test_waiting_is_no_fault_but_a_flap_is() -> None:
    attempts = (
        _attempt(0.1, "200", False),
        _attempt(0.5, "403", True),
        _attempt(1.0, "200", False, Phase.CONFIRM),
        _attempt(1.5, "403", True),
        _attempt(2.0, "200", True, Phase.TWIN),
    )
    case = a_case(attempts=attempts, time_to_first_s=0.5, time_to_stable_s=1.5)
    assert _marks(case) == {"403": ["hit", "hit"], "200": ["wait", "contrary", "twin"]}
    never = a_case(attempts=attempts[:1] * 2, time_to_first_s=None, time_to_stable_s=None, verdict=Verdict.FAIL)
    assert _marks(never) == {"200": ["contrary"]}


def test_a_lost_probe_looks_like_neither() -> None:
    marks = _marks(_case("LAB-PATH-04"))
    lost = next(kinds for label, kinds in marks.items() if label.startswith("infrastructure"))
    assert set(lost) == {"lost"}


def test_the_same_status_with_failed_checks_is_another_lane() -> None:
    case = a_case(attempts=(_attempt(0.1, "200", False), _attempt(2, "200", True)), time_to_first_s=2.0)
    assert _marks(case) == {"200": ["hit"], "200, checks failed": ["wait"]}


def test_many_answers_share_the_last_lane_and_dense_marks_are_thinned() -> None:
    many = tuple(_attempt(index / 10, f"5{index:02d}", False) for index in range(20))
    marks = _marks(a_case(attempts=many, time_to_first_s=None, time_to_stable_s=None))
    assert [*marks][-1] == "15 other answers"
    assert len(marks["15 other answers"]) == 15
    dense = tuple(_attempt(index / 1000, "403", True) for index in range(5000))
    assert len(_marks(a_case(attempts=dense))["403"]) < 250


@pytest.mark.parametrize("end", [0.0, 0.004, 0.37, 1, 4, 29.9, 86_400])
def test_the_axis_has_a_few_round_ticks(end: float) -> None:
    line = timeline(a_case(attempts=(_attempt(0, "403", True), _attempt(end, "403", True)), time_to_stable_s=end))
    assert line is not None
    assert 3 <= len(line.ticks) <= 6
    assert [x for x, _ in line.ticks] == sorted({x for x, _ in line.ticks})
    assert len({label for _, label in line.ticks}) == len(line.ticks)


def test_the_marker_has_its_place_on_the_axis() -> None:
    attempts = (_attempt(0, "403", True), _attempt(1, "403", True))
    seen = MarkerRecord("mtls-service/httpbin", MarkerState.SEEN, "in force", first_s=0.5, stable_s=0.7, probes=3)
    missing = MarkerRecord("legacy-service/httpbin", MarkerState.MISSING, "not in force")
    line = timeline(a_case(attempts=attempts, time_to_stable_s=1.0, markers=(seen, missing)))
    assert line is not None
    assert line.marker is not None
    assert line.stable is not None
    assert line.zero < line.marker < line.stable
    assert "marker in force after 0.50 s" in line.text
    without = timeline(a_case(attempts=attempts, time_to_stable_s=1.0, markers=(missing,)))
    assert without is not None
    assert without.marker is None


def test_one_attempt_is_no_timeline() -> None:
    assert timeline(_case("LAB-SETUP-01")) is None
    assert timeline(_case("LAB-DASH-01")) is None


def test_the_course_in_words() -> None:
    assert describe(_case("LAB-NSMTLS-03")) == "75 probes after the change, the expected answer never came, 0 flaps"
    assert ", never stable, 39 flaps" in describe(_case("LAB-AUTHZ-02"))


def test_what_was_looked_at_is_not_shown_as_if_it_had_been_probed() -> None:
    looked = Attempt(0.4, Phase.CONVERGE, True, "as expected", "", kind=OutcomeKind.LOOK)
    case = Evidence(
        control="CRA-UI-03",
        id="CRA-UI-03",
        polarity="deny",
        verdict=Verdict.PASS,
        expected="the page shows the refusal",
        attempts=(looked,),
        time_to_first_s=0.4,
        time_to_stable_s=0.4,
    )
    assert [(link.name, link.text) for link in chain(case)] == [
        ("Pinned outcome", "the page shows the refusal; first seen 0.40 s after the first look")
    ]
