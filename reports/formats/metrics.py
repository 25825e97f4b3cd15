"""A run as metrics, in the text format that Prometheus's node exporter reads (its textfile collector)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from clients.model.evidence import Verdict
from clients.model.exit_code import ExitCode
from reports.history.store import cluster_of
from reports.marks import WORST_FIRST
from reports.record.model import Report

FILE = "metrics.prom"
PERCENTILES = (50, 90, 100)
CONFORMING = "meshproof_last_conforming_timestamp_seconds"


def render(report: Report, conforming: dict[str, float] | None = None) -> str:
    """The whole file.

    Args:
        conforming: cluster → when it last conformed, as an earlier file has it, in seconds since 1970.
    """
    registry, cluster = CollectorRegistry(), _label(cluster_of(report.target))

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"meshproof_{name}", text, ["cluster", *labels], registry=registry)

    ended = _seconds(report.run.ended or report.run.started)
    conforms = report.judged.code == ExitCode.OK
    gauge("conforms", "Whether the last run conforms, by its gates.").labels(cluster).set(conforms)
    if report.run.exit is not None:
        gauge("exit_code", "Exit code of the last run.").labels(cluster).set(report.run.exit)
    cases = gauge("cases", "Cases of the last run, by what came of them.", "mark")
    for mark in WORST_FIRST:
        cases.labels(cluster, mark).set(sum(one == mark for one in report.marks.values()))
    failed = gauge("control_failed", "Failed cases of a control; only of controls that have any.", "control")
    for case in report.cases:
        if case.verdict is Verdict.FAIL and not case.known:
            failed.labels(cluster, _label(case.control)).inc()
    stable = gauge("time_to_stable_seconds", "From a change to its stable outcome, in cases that passed.", "percentile")
    for percentile, seconds in _percentiles(report):
        stable.labels(cluster, str(percentile)).set(seconds)
    gauge("last_run_timestamp_seconds", "When the last run ended.").labels(cluster).set(ended)
    gauge("run_duration_seconds", "How long it took.").labels(cluster).set(ended - _seconds(report.run.started))
    last = Gauge(CONFORMING, "When a run last conformed.", ["cluster"], registry=registry)
    known = {**(conforming or {}), **({cluster: ended} if conforms else {})}
    if cluster in known:
        last.labels(cluster).set(known[cluster])
    return generate_latest(registry).decode()


def _label(text: str) -> str:
    """The value of a label: half a character has no bytes."""
    return text.encode(errors="replace").decode()


def last_conforming(file: Path) -> dict[str, float]:
    """Cluster → when it last conformed, of an earlier file; empty where there is none, or it cannot be read."""
    try:
        families = list(text_string_to_metric_families(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
    samples = (sample for family in families for sample in family.samples if sample.name == CONFORMING)
    return {sample.labels.get("cluster", ""): sample.value for sample in samples}


def _percentiles(report: Report) -> Iterator[tuple[int, float]]:
    """Of the times to stable, by nearest rank."""
    passed = (case.time_to_stable_s for case in report.cases if case.verdict is Verdict.PASS)
    times = sorted(one for one in passed if one is not None)
    for percentile in PERCENTILES if times else ():
        yield percentile, times[ceil(percentile * len(times) / 100) - 1]


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0
