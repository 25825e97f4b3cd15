"""conformance.json: its fields, its round trip, and what a damaged one says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import NOT_RUN, a_case, found, sample_report, sample_run

from clients.model.evidence import Grade, Verdict
from reports.record import conformance, series
from reports.record.journal import Contents
from reports.record.model import EVIDENCE, Report, ReportError

pytestmark = pytest.mark.unit


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "conformance.json"
    conformance.save(sample_report(), path)
    return path


def test_the_fields_that_readers_rely_on(saved: Path) -> None:
    data = json.loads(saved.read_text())
    assert data["schema"] == "meshproof/conformance/v3"
    assert data["run"].items() >= {"id": "20261122-161305-7c1e", "exit": 1}.items()
    assert {"started", "ended", "command"} <= data["run"].keys()
    expected = {"name": "istio", "version": "1.29.1", "revision": "default", "flavour": ""}
    assert data["target"]["mesh"] == expected
    assert data["totals"] == {"pass": 33, "fail": 2, "inconclusive": 1, "skip": 3, "reduced": 3, "known": 0,
                              "not_run": 2}  # fmt: skip
    case = next(case for case in data["cases"] if case["id"] == "LAB-MTLS-03")
    wanted = "control id title verdict grade reason expected observed attempts flaps time_to_first_s time_to_stable_s"
    wanted += " duration_s twin findings request stage stage_title substitute recorded timeline"
    assert set(wanted.split()) <= case.keys()
    assert case["grade"] == "full"
    assert case["request"] == {
        "method": "GET", "url": "http://httpbin.mtls-service:8000/ip", "path": "/ip", "token": "",
        "protocol": "HTTP/1.1", "headers": [], "body": "", "dial": "", "impostor_of": "", "tls_max": "",
    }  # fmt: skip
    assert case["findings"][-1].keys() == {"name", "text", "verdict"}
    assert {attempt["kind"] for attempt in case["timeline"]} == {"status", "reset"}
    assert case["attempts"] == len(series.unfold(case["timeline"])) > 30
    assert case["twin"]["control"] == "LAB-MTLS-01"


def test_a_record_comes_back_equal_through_plain_json_values() -> None:
    for case in sample_report().cases:
        assert EVIDENCE.validate_python(json.loads(json.dumps(EVIDENCE.dump_python(case, mode="json")))) == case


def test_findings_of_one_name_are_all_kept(tmp_path: Path) -> None:
    findings = tuple(found("access log", f"hop {number}") for number in range(3))
    conformance.save(replace(sample_report(), cases=(a_case(findings=findings),), not_run=()), tmp_path / "c.json")
    assert conformance.load(tmp_path / "c.json").cases[0].findings == findings


def test_what_is_saved_is_loaded_by_file_and_by_folder(saved: Path) -> None:
    assert conformance.load(saved) == conformance.load(saved.parent) == sample_report()


def test_fields_of_a_newer_writer_are_ignored(saved: Path) -> None:
    data = json.loads(saved.read_text())
    data["novelty"] = data["run"]["novelty"] = data["cases"][5]["novelty"] = 1
    data["cases"][5]["timeline"][0]["novelty"] = 1
    saved.write_text(json.dumps(data))
    assert conformance.load(saved) == sample_report()


def test_planned_order_and_what_was_not_run() -> None:
    report = sample_report()
    assert report.not_run == NOT_RUN
    assert [case.id for case in report.cases] == [key for key in report.run.planned if key not in NOT_RUN]


def test_without_a_plan_numbers_sort_as_numbers() -> None:
    cases = tuple(("", a_case(id=key)) for key in ("B-1", "A-10", "A-9", "A-9[x]"))
    report = conformance.build(Contents(cases=cases), run=sample_run())
    assert [case.id for case in report.cases] == ["A-9", "A-9[x]", "A-10", "B-1"]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [("fail", "pass", "fail"), ("pass", "inconclusive", "inconclusive"), ("skip", "pass", "pass")],
)
def test_a_case_recorded_twice_keeps_its_worst_verdict(first: str, second: str, kept: str) -> None:
    cases = tuple(("", a_case(verdict=Verdict(verdict))) for verdict in (first, second))
    assert [case.verdict for case in conformance.build(Contents(cases=cases)).cases] == [kept]


def test_a_run_is_ok_only_when_nothing_is_open() -> None:
    good = replace(sample_report(), cases=(a_case(),), not_run=())
    assert good.ok
    assert replace(good, cases=(a_case(grade=Grade.REDUCED),)).ok
    for bad in (
        {"cases": ()},
        {"cases": (a_case(verdict=Verdict.SKIP),)},
        {"cases": (a_case(), a_case(id="b", verdict=Verdict.INCONCLUSIVE))},
        {"cases": (a_case(), a_case(id="b", verdict=Verdict.FAIL))},
        {"not_run": ("b",)},
        {"damaged": 1},
    ):
        assert not replace(good, **bad).ok, bad  # type: ignore[arg-type]


def _set(*keys: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _set("schema", to="meshproof/conformance/v9"),
            "has schema 'meshproof/conformance/v9', not .*; read it with the version that wrote it",
        ),
        (_set("cases", to={}), "cases is not a list"),
        (_set("cases", 3, to="x"), r"cases\[3\] is not an object"),
        (_set("cases", 3, "verdict", to="passed"), r"cases\[3\]\.verdict: it must be 'pass'"),
        (_set("cases", 5, "timeline", 0, "at_s", to="soon"), r"cases\[5\]\.timeline\[0\]\.at_s: .*number"),
        (_set("cases", 1, "id", to="LAB-SETUP-01"), "case LAB-SETUP-01 is there twice"),
        (_set("run", to=None), "run: "),
        (_set("target", "mesh", to=3), r"target\.mesh: "),
        (_set("damaged", to="many"), "damaged: "),
    ],
    ids=["schema", "cases", "case", "verdict", "attempt", "twice", "run", "mesh", "damaged"],
)
def test_a_wrong_field_is_named_in_one_line(saved: Path, change: Callable[[Any], None], message: str) -> None:
    data = json.loads(saved.read_text())
    change(data)
    saved.write_text(json.dumps(data))
    with pytest.raises(ReportError, match=message) as caught:
        conformance.load(saved)
    assert "\n" not in str(caught.value)
    assert "conformance.json" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"], ids=["empty", "torn", "list", "bytes"])
def test_what_is_no_conformance_file(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.raises(ReportError):
        conformance.load(saved)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot read"):
        conformance.load(tmp_path / "absent")


def test_a_failed_save_keeps_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        conformance.save(Report(sample_run(), sample_report().target), saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
