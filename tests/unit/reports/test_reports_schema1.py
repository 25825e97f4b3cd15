"""Files that releases before `meshproof/conformance/v2` wrote: `data/` holds what that code made."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from clients.model.evidence import Evidence, Grade, Verdict
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord
from reports.diff import compare
from reports.html import render
from reports.record import conformance, journal, schema1
from reports.record.model import SCHEMA
from reports.write import write_all

pytestmark = pytest.mark.unit

DATA = Path(__file__).parent / "data"
FILE, JOURNAL = DATA / "conformance-v1.json", DATA / "journal-v1.ndjson"


@pytest.fixture(scope="module")
def cases() -> dict[str, Evidence]:
    return {case.id: case for case in conformance.load(FILE).cases}


def _findings(case: Evidence) -> list[tuple[str, str]]:
    return [(finding.name, finding.verdict.value) for finding in case.findings]


def test_the_file_is_of_schema_1_and_every_field_that_stayed_is_the_same(cases: dict[str, Evidence]) -> None:
    data = json.loads(FILE.read_text())
    assert data["schema"] == schema1.SCHEMA == "meshproof/conformance/v1"
    assert len(cases) == len(data["cases"]) == 11
    for row in data["cases"]:
        case = cases[row["id"]]
        for name in ("control", "title", "verdict", "reason", "expected", "observed", "command", "flaps", "worker"):
            assert getattr(case, name) == row[name]
        assert [attempt.at_s for attempt in case.attempts] == [attempt["at_s"] for attempt in row["timeline"]]
        assert case.twin is None or case.twin.control == row["twin"]["control"]
        assert list(case.network_path) == row["network_path"]
        assert case.substitute == row["variant_of_target"]


def test_findings_of_a_pass_supported_it_but_for_what_was_not_looked_at(cases: dict[str, Evidence]) -> None:
    assert _findings(cases["LAB-MTLS-03"]) == [("backend_log", "pass"), ("access_log", "pass"), ("exec", "pass")]
    egress = cases["EGR-DENY-01"]
    assert _findings(egress) == [("exec", "pass"), ("twin", "pass"), ("external server's log", "not_checked")]
    assert egress.findings[-1].text == "it is not available on this target"
    assert egress.grade is Grade.REDUCED
    assert cases["LAB-MTLS-03"].grade is Grade.FULL


def test_findings_of_other_cases_decided_them_only_where_their_reason_says_so(cases: dict[str, Evidence]) -> None:
    case = cases["EGR-DENY-02"]
    assert case.verdict is Verdict.INCONCLUSIVE
    assert case.grade is None
    assert _findings(case) == [
        ("before the change", "inconclusive"),
        ("exec", "inconclusive"),
        ("backend log", "inconclusive"),
        ("access log", "inconclusive"),
        ("access log", "inconclusive"),
    ]
    failed = {"verdict": "fail", "reason": "exec: lost", "proof": {"exec": "lost", "backend log": "absent"}}
    upgraded = schema1.upgraded(failed)["findings"]
    assert [finding["verdict"] for finding in upgraded] == ["fail", "inconclusive"]
    by_twin = {"verdict": "fail", "proof": {"twin": "x"}, "twin": {"verdict": "fail"}}
    assert schema1.upgraded(by_twin)["findings"][0]["verdict"] == "fail"


def test_the_kind_of_an_attempt_comes_from_its_summary(cases: dict[str, Evidence]) -> None:
    kinds = Counter(attempt.kind for case in cases.values() for attempt in case.attempts)
    assert set(kinds) == {OutcomeKind.STATUS, OutcomeKind.RESET, OutcomeKind.INFRASTRUCTURE, OutcomeKind.LOOK}
    lost = [attempt for attempt in cases["LAB-PATH-04"].attempts if not attempt.ran]
    assert lost
    assert all(attempt.summary.startswith("infrastructure: ") for attempt in lost)
    assert [attempt.kind for attempt in cases["LAB-SETUP-01"].attempts] == [OutcomeKind.LOOK]


@pytest.mark.parametrize(
    ("summary", "kind"),
    [
        ("200", OutcomeKind.STATUS),
        ("200 PERMISSION_DENIED (7)", OutcomeKind.STATUS),
        ("000 tls_error (35)", OutcomeKind.TLS_ERROR),
        ("200 reset (56)", OutcomeKind.RESET),
        ("nothing", OutcomeKind.OTHER),
    ],
)
def test_kinds_of_summaries(summary: str, kind: OutcomeKind) -> None:
    [attempt] = schema1.upgraded({"attempts": [{"summary": summary, "request_id": "mp-1"}]})["attempts"]
    assert attempt["kind"] == kind


@pytest.mark.parametrize(
    ("command", "method", "path", "token"),
    [
        ("curl -sS http://a.b:8000/ip", "GET", "/ip", ""),
        ("curl -X POST -H 'Authorization: Bearer [redacted]' http://a.b/x/y?z=1", "POST", "/x/y?z=1", schema1.TOKEN),
        ("curl --request PUT https://a.b", "PUT", "/", ""),
        ("curl -i -I https://a.b/", "HEAD", "/", ""),
        ("curl http://a.b/headers -H 'X-Forwarded-Client-Cert: URI=spiffe://forged'", "GET", "/headers", ""),
        ("curl -H 'X-Forwarded-Client-Cert: URI=spiffe://forged' http://a.b/headers", "GET", "/headers", ""),
    ],
)
def test_the_request_of_a_command(command: str, method: str, path: str, token: str) -> None:
    url = next(word for word in command.split() if word.startswith("http"))
    assert schema1.request_of(command) == RequestRecord(method, url, path, token)


@pytest.mark.parametrize("command", ["kubectl get pods", "curl 'unbalanced http://a.b/", ""])
def test_what_is_no_curl_command_has_no_request(command: str) -> None:
    assert schema1.request_of(command) is None


def test_the_request_of_a_case_whose_header_holds_a_url(cases: dict[str, Evidence]) -> None:
    request = cases["LAB-XFCC-04"].request
    assert request is not None
    assert (request.method, request.path) == ("GET", "/headers?show_env=1")


def test_way_was_the_path_once() -> None:
    assert schema1.upgraded({"way": ["a", "b"]})["network_path"] == ["a", "b"]


def test_a_report_of_schema_1_is_written_as_schema_2_and_comes_back(tmp_path: Path) -> None:
    report = conformance.load(FILE)
    conformance.save(report, tmp_path / "conformance.json")
    assert json.loads((tmp_path / "conformance.json").read_text())["schema"] == SCHEMA
    again = conformance.load(tmp_path)
    assert again == report
    assert compare(report, again).environment == {}
    assert compare(report, again).exit_code == 0
    assert "EGR-DENY-01" in render(report)


def test_a_journal_of_schema_1_still_gives_every_report(tmp_path: Path) -> None:
    contents = journal.read(JOURNAL)
    assert contents.damaged == 0
    assert [case.id for _, case in contents.cases] == ["LAB-XFCC-04", "LAB-MTLS-03"]
    folder = tmp_path / "out" / "r1"
    write_all(JOURNAL, folder)
    assert conformance.load(folder).totals["pass"] == 2
