"""Allure finds the trends of earlier runs in the results of each run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import a_case, sample_report

from clients.model.evidence import Grade, Verdict
from reports.formats import allure, allure_history
from reports.write import write_reports

pytestmark = pytest.mark.unit

PASSED = a_case(id="LAB-A-01", verdict=Verdict.PASS, grade=Grade.FULL, reason="", duration_s=2.0)
FAILED = a_case(id="LAB-A-01", verdict=Verdict.FAIL, grade=None, duration_s=3.0)


def run(out: Path, number: int, *cases: Any, context: str = "prod") -> Path:
    """Reports of one night; its Allure results."""
    report = sample_report()
    night = replace(report.run, id=f"202611{number:02}-000000-abcd", started=f"2026-11-{number:02}T00:00:00Z", exit=0)
    target = replace(report.target, kind="live", context=context)
    write_reports(replace(report, run=night, target=target, cases=cases, not_run=()), out / night.id)
    return out / night.id / allure.FOLDER


def content(folder: Path, name: str) -> Any:
    return json.loads((folder / "history" / name).read_text())


def test_the_first_run_has_no_history(tmp_path: Path) -> None:
    folder = run(tmp_path, 1, PASSED)
    assert not (folder / "history").exists()
    assert json.loads((folder / "executor.json").read_text())["buildOrder"] == 1


def test_each_run_takes_over_what_the_run_before_knew_and_showed(tmp_path: Path) -> None:
    run(tmp_path, 1, PASSED)
    run(tmp_path, 2, FAILED)
    folder = run(tmp_path, 3, PASSED)
    trend = content(folder, "history-trend.json")
    assert [(row["buildOrder"], row["data"]["failed"], row["data"]["passed"]) for row in trend] == [
        (2, 1, 0),
        (1, 0, 1),
    ]
    assert all(row["data"]["total"] == 1 for row in trend)
    assert [row["data"]["duration"] for row in content(folder, "duration-trend.json")] == [3000, 2000]
    assert json.loads((folder / "executor.json").read_text())["buildOrder"] == 3
    [result] = [json.loads(file.read_text()) for file in folder.glob("*-result.json")]
    known = content(folder, "history.json")[result["historyId"]]
    assert [item["status"] for item in known["items"]] == ["failed", "passed"]
    assert known["statistic"] == {"failed": 1, "broken": 0, "skipped": 0, "passed": 1, "unknown": 0, "total": 2}
    assert known["items"][0]["time"]["duration"] == 3000


def test_a_case_that_a_run_left_out_keeps_its_history(tmp_path: Path) -> None:
    other = replace(PASSED, id="LAB-B-01")
    run(tmp_path, 1, PASSED, other)
    run(tmp_path, 2, other)
    assert len(content(run(tmp_path, 3, PASSED, other), "history.json")) == 2


def test_reports_written_again_have_the_same_history(tmp_path: Path) -> None:
    run(tmp_path, 1, PASSED)
    folder = run(tmp_path, 2, FAILED)
    before = {file.name: file.read_bytes() for file in (folder / "history").iterdir()}
    run(tmp_path, 3, PASSED)
    assert run(tmp_path, 2, FAILED) == folder
    assert {file.name: file.read_bytes() for file in (folder / "history").iterdir()} == before
    assert len(before) == 3


def test_a_history_of_allures_own_report_is_kept(tmp_path: Path) -> None:
    run(tmp_path, 1, PASSED)
    own = tmp_path / "20261102-000000-abcd" / allure.FOLDER / "history" / "history-trend.json"
    own.parent.mkdir(parents=True)
    own.write_text('[{"buildOrder": 41, "data": {}}]')
    folder = run(tmp_path, 2, PASSED)
    assert own.read_text() == '[{"buildOrder": 41, "data": {}}]'
    assert json.loads((folder / "executor.json").read_text())["buildOrder"] == 42


def test_clusters_do_not_mix(tmp_path: Path) -> None:
    run(tmp_path, 1, PASSED, context="other")
    assert not (run(tmp_path, 2, PASSED) / "history").exists()


def test_history_is_bounded(tmp_path: Path) -> None:
    for number in range(1, 24):
        folder = run(tmp_path, number, PASSED)
    assert [row["buildOrder"] for row in content(folder, "history-trend.json")] == list(range(22, 2, -1))
    [known] = content(folder, "history.json").values()
    assert len(known["items"]) == known["statistic"]["total"] == allure_history.MOST_RESULTS


def test_results_and_a_history_of_other_kinds_cost_no_report(tmp_path: Path) -> None:
    """They are those of the run before, which another program may have written or damaged."""
    run(tmp_path, 1, PASSED)
    folder = run(tmp_path, 2, PASSED)
    [name] = content(folder, "history.json")
    wrong = {"items": [{"status": ["passed"]}, {"status": "passed", "uid": {}}, 1]}
    (folder / "history" / "history.json").write_text(json.dumps({name: wrong}))
    result = next(folder.glob("*-result.json"))
    row = json.loads(result.read_text())
    for number, (field, value) in enumerate(
        [("start", "soon"), ("stop", None), ("historyId", []), ("status", {}), ("uuid", 1)]
    ):
        (folder / f"{number}-result.json").write_text(json.dumps({**row, field: value}))
    again = run(tmp_path, 3, FAILED)
    assert content(again, "history.json")[name]["statistic"]["total"] == 2


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"x": 1}', '[{"buildOrder": "x"}, 1]', "\ud83d", "[" * 100_000]
)
def test_a_damaged_history_costs_no_report(tmp_path: Path, damage: str) -> None:
    run(tmp_path, 1, PASSED)
    folder = run(tmp_path, 2, PASSED)
    for file in [*(folder / "history").iterdir(), next(folder.glob("*-result.json"))]:
        file.write_bytes(damage.encode(errors="surrogatepass"))
    again = run(tmp_path, 3, FAILED)
    assert len(list(again.glob("*-result.json"))) == 1
