"""A run as metrics: what came of its cases, when it ended, and when the cluster last conformed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from report_samples import a_case, sample_report

from clients.model.evidence import Verdict
from reports.formats import metrics
from reports.record import conformance
from reports.record.model import Report, TargetInfo
from runner.commands import publishing
from runner.config.settings import ROOT, Settings

pytestmark = pytest.mark.unit


def values(text: str) -> dict[str, float]:
    """`name{label=value,…}` without the cluster → value."""
    made = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(value for name, value in sample.labels.items() if name != "cluster")
            made[f"{sample.name}{{{labels}}}"] = sample.value
    return made


def night(day: int, *verdicts: Verdict) -> Report:
    cases = tuple(a_case(id=f"A-{place}", control="A", verdict=one, time_to_stable_s=float(place + 1))
                  for place, one in enumerate(verdicts))  # fmt: skip
    report = sample_report()
    run = replace(
        report.run, started=f"2026-11-{day:02}T02:00:00Z", ended=f"2026-11-{day:02}T02:05:00Z", id=f"202611{day:02}-x"
    )
    return replace(report, run=run, target=TargetInfo("live", context="prod"), cases=cases, not_run=("A-9",)[: day - 1])


def test_the_metrics_of_a_run() -> None:
    found = values(metrics.render(night(1, *[Verdict.PASS] * 9, Verdict.FAIL, Verdict.FAIL)))
    assert found["meshproof_conforms{}"] == 0
    assert found["meshproof_cases{pass}"] == 9
    assert found["meshproof_cases{fail}"] == 2
    assert found["meshproof_cases{not-run}"] == 0
    assert found["meshproof_control_failed{A}"] == 2
    assert [found[f"meshproof_time_to_stable_seconds{{{one}}}"] for one in (50, 90, 100)] == [5, 9, 9]
    assert found["meshproof_run_duration_seconds{}"] == 300
    assert found["meshproof_last_run_timestamp_seconds{}"] == 1793498700
    assert "meshproof_last_conforming_timestamp_seconds{}" not in found


def test_half_a_character_is_replaced() -> None:
    """A kubeconfig in JSON may have one in the name of a context; the run ended with a traceback after its reports."""
    report = night(1, Verdict.FAIL)
    text = metrics.render(
        replace(
            report,
            target=replace(report.target, context="a\ud800"),
            cases=tuple(replace(one, control="B\ud800") for one in report.cases),
        )
    )
    assert 'cluster="live a?"' in text
    assert 'control="B?"' in text


def test_the_time_of_the_last_proof_outlives_runs_that_fail(tmp_path: Path) -> None:
    file = tmp_path / "textfile" / "meshproof.prom"
    for day, verdict in ((1, Verdict.PASS), (2, Verdict.FAIL), (3, Verdict.INCONCLUSIVE)):
        report = replace(night(day, Verdict.PASS, verdict), not_run=())
        conformance.save(report, tmp_path / report.run.id / conformance.FILE)
        publishing.after(tmp_path / report.run.id, Settings(metrics=file))
        found = values(file.read_text())
        assert found["meshproof_last_conforming_timestamp_seconds{}"] == 1793498700
        assert found["meshproof_last_run_timestamp_seconds{}"] == 1793498700 + (day - 1) * 86400


def test_a_damaged_file_is_written_again_and_one_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.prom"
    damaged.write_text("{{{ no metrics\n")
    assert metrics.last_conforming(damaged) == {}
    report = night(1, Verdict.PASS)
    conformance.save(report, tmp_path / "run" / conformance.FILE)
    (tmp_path / "file").write_text("")
    assert not publishing.after(tmp_path / "run", Settings(metrics=tmp_path / "file" / "meshproof.prom"))
    assert publishing.after(tmp_path / "run", Settings(metrics=tmp_path / "meshproof.prom"))
    printed = capsys.readouterr().err
    assert "the metrics cannot be written" in printed
    assert printed.count("\n") == 1


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    dashboard = json.loads((ROOT / "deploy" / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
    text = metrics.render(sample_report(), {"x": 1.0})
    names = {family.name for family in text_string_to_metric_families(text)}
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert all(any(name in query for name in names) for query in queries)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
