"""`gateway-api.yaml` claims what was proven by controls of ours, and nothing about the other project's profiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from report_samples import a_case, sample_report

from clients.model.evidence import Evidence, Grade, Verdict
from reports.formats import gateway_api
from reports.record.about import About, ControlRecord
from reports.record.model import MeshRecord, Report, TargetInfo
from reports.write import write_reports

pytestmark = pytest.mark.unit

THEIRS = {"GATEWAY-HTTP", "GATEWAY-TLS", "GATEWAY-GRPC", "GATEWAY-TCP", "GATEWAY-UDP", "MESH-HTTP", "MESH-GRPC"}
MESH = MeshRecord("istio", "1.31.1", "default", "Istio")


def case(control: str, verdict: Verdict = Verdict.PASS, grade: Grade | None = None) -> Evidence:
    grade = grade or (Grade.FULL if verdict is Verdict.PASS else None)
    return a_case(id=f"{control}[{verdict}{grade}]", control=control, verdict=verdict, grade=grade)


def report(*cases: Evidence, not_run: tuple[str, ...] = ()) -> Report:
    target = TargetInfo("live", mesh=MESH, configuration={"Gateway API": "v1.4.0 standard"})
    return replace(sample_report(), cases=(case("LAB-MTLS-03"), *cases), not_run=not_run, target=target)


def read(made: Report) -> Any:
    return yaml.safe_load(gateway_api.render(made))


@pytest.mark.parametrize(
    ("cases", "not_run", "result", "counts"),
    [
        ([case("X-GWAPI-A"), case("X-GWAPI-B")], (), "success", (2, 0, 0)),
        ([case("X-GWAPI-A"), case("X-GWAPI-A", Verdict.FAIL)], (), "failure", (0, 1, 0)),
        ([case("X-GWAPI-A"), case("X-GWAPI-A", Verdict.INCONCLUSIVE)], (), "partial", (0, 0, 1)),
        ([case("X-GWAPI-A"), case("X-GWAPI-B", Verdict.SKIP)], (), "partial", (1, 0, 1)),
        ([case("X-GWAPI-A"), case("X-GWAPI-B", grade=Grade.REDUCED)], (), "partial", (1, 0, 1)),
        ([case("X-GWAPI-A")], ("X-GWAPI-B[x]", "LAB-B"), "partial", (1, 0, 1)),
    ],
    ids=["passed", "failed", "inconclusive", "skipped", "reduced", "not run"],
)
def test_a_control_counts_once_and_only_full_proof_is_a_pass(
    cases: list[Evidence], not_run: tuple[str, ...], result: str, counts: tuple[int, int, int]
) -> None:
    [profile] = read(report(*cases, not_run=not_run))["profiles"]
    statistics = profile["core"]["statistics"]
    assert profile["core"]["result"] == result
    assert tuple(statistics[name] for name in ("Passed", "Failed", "Skipped")) == counts
    assert len(profile["core"].get("failedTests", ())) == statistics["Failed"]
    assert len(profile["core"].get("skippedTests", ())) == statistics["Skipped"]


def test_a_run_of_some_controls_is_partial() -> None:
    about = About(controls=tuple(ControlRecord(name, name) for name in ("X-GWAPI-A", "X-GWAPI-B", "LAB-B")))
    [profile] = read(replace(report(case("X-GWAPI-A")), about=about))["profiles"]
    assert profile["core"]["result"] == "partial"
    assert profile["core"]["skippedTests"] == ["X-GWAPI-B"]


def test_it_has_the_fields_of_the_type_and_none_of_the_other_profiles() -> None:
    found = read(report(case("X-GWAPI-A")))
    assert (found["apiVersion"], found["kind"]) == ("gateway.networking.k8s.io/v1", "ConformanceReport")
    assert (found["gatewayAPIVersion"], found["gatewayAPIChannel"], found["mode"]) == ("v1.4.0", "standard", "default")
    assert found["implementation"] == {
        "organization": "istio", "project": "Istio", "url": "https://istio.io/", "version": "1.31.1", "contact": []
    }  # fmt: skip
    [profile] = found["profiles"]
    assert profile["name"] not in THEIRS
    assert "not the conformance tests of Gateway API" in profile["summary"]


def test_a_run_that_tried_none_has_no_file_and_removes_an_earlier_one(tmp_path: Path) -> None:
    write_reports(report(case("X-GWAPI-A")), tmp_path / "run")
    assert (tmp_path / "run" / gateway_api.FILE).is_file()
    write_reports(report(case("X-GWAPI-A", Verdict.SKIP)), tmp_path / "run")
    assert not (tmp_path / "run" / gateway_api.FILE).exists()
    assert gateway_api.render(sample_report()) == ""
