"""The reports of a run: the size of all of them, and how long a browser takes to open the page of 5,000 cases."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.history import opened
from clients.model.attempt import Attempt, Phase, Sample
from clients.model.evidence import Applied, Evidence, Finding, FindingVerdict, Grade, TwinProof, Verdict
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord
from reports import html
from reports.html import diagnostics
from reports.record import conformance
from reports.record.journal import FILE, Journal, now
from reports.record.model import MeshRecord, Report, RunInfo, TargetInfo
from reports.write import write_all

KINDS = ("Namespace", "Service", "Deployment", "PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication")
PROBES, OBJECTS, PER_STAGE = 14, 15, 22
"""Of a case, and cases of a stage, as in a run of the whole catalogue."""
YAML = (
    "apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n" + "  a: 0123456789012345678901234567890\n" * 15
)
MIB = 1024**2


def generated(cases: int) -> Report:
    """A run of that many cases, shaped like one of the whole catalogue; every hundredth failed."""
    run = RunInfo("bench", now(), "meshproof bench report", ended=now(), exit=1)
    target = TargetInfo("embedded", "1.34.4", MeshRecord("istio", "1.31.1", "default"))
    return Report(run, target, tuple(_case(number) for number in range(cases)))


def _case(number: int) -> Evidence:
    stage, failed = number // PER_STAGE, number % 100 == 99
    names = [(KINDS[at % len(KINDS)], f"object-{stage % 9}-{at}") for at in range(OBJECTS)]
    denied = number % 2 == 0
    answer = "403" if denied else "200"
    sample = Sample(1.5, answer, f"mp-{number}-0", "10.244.0.9:8000", 0.004, {"server": ["envoy"]}, "RBAC" * 90, "")
    return Evidence(
        control=f"X-{number // 4:04}", id=f"X-{number // 4:04}[{number % 4}]", polarity="deny" if denied else "allow",
        title=f"Control {number // 4} holds for its clients, of every namespace and by every path",
        suite=f"suites/bench/test_{stage % 40}.py", stage=f"bench-{stage}",
        stage_title=f"Stage {stage}, in which a policy demands mutual TLS and a token",
        source=f"client-{number % 5}/sleep", destination=f"httpbin.service-{number % 4}.svc.cluster.local",
        request=RequestRecord("GET", "http://httpbin.service:8000/headers", "/headers"),
        expected=answer, observed="200" if failed else answer, twin_control=f"X-{number // 4:04}",
        verdict=Verdict.FAIL if failed else Verdict.PASS, grade=None if failed else Grade.FULL,
        reason="the backend got the request" if failed else "",
        command="curl -sS --max-time 10 -H 'x-request-id: …' http://httpbin.service:8000/headers",
        attempts=tuple(
            Attempt(0.1 * at + number * 1e-7, Phase.CONFIRM if at > 2 else Phase.BASELINE, True, answer,
                    f"mp-{number}-{at}", "", f"10.244.0.8:{40000 + at}", kind=OutcomeKind.STATUS, status=int(answer))
            for at in range(PROBES)
        ),
        samples=(sample, replace(sample, at_s=2.5)),
        time_to_first_s=0.4, time_to_stable_s=1.0 + number % 90 / 30, duration_s=2.0, budget_s=30.0,
        twin=TwinProof(f"X-{number // 4:04}", Verdict.PASS, "200", "200", f"mp-{number}-t") if denied else None,
        findings=(
            Finding("access log", f"refused by the proxy: rbac_access_denied_matched_policy[none], {number}",
                    FindingVerdict.PASS),
            Finding("backend log", f"{PROBES} request ids absent", FindingVerdict.PASS),
        ),
        applied=tuple(Applied(f"bench/{stage % 9}.yaml", kind, "bench", name, YAML.format(kind=kind, name=name))
                      for kind, name in names),
        worker=f"gw{number % 2}",
    )  # fmt: skip


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Write all reports of a run, then open a page of 5,000 cases."""
    browser = common.browser()
    folder = Path(tempfile.mkdtemp(prefix="meshproof-bench-"))
    try:
        report = conformance.load(given.run) if given.run else generated(given.cases)
        out = folder / "out" / "run"
        for name in (diagnostics.FOLDER, "screenshots") if given.run else ():
            if (given.run / name).is_dir():
                shutil.copytree(given.run / name, out / name)
        started = time.monotonic()
        write_all(_journal(report, out), out)
        write_s = time.monotonic() - started
        sizes = {path.name: _bytes(path) / MIB for path in out.iterdir()}
        page = folder / "index.html"
        page.write_text(html.render(generated(given.shown)), encoding="utf-8")
        open_s = statistics.median(opened(browser, page) for _ in range(5))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    common.table("Reports", ("file", "MiB"), [(name, size) for name, size in sorted(sizes.items())])
    return {
        "open_s_5000": round(open_s, 2),
        "html_mib": round(sizes["index.html"], 1),
        "all_mib": round(sum(sizes.values()), 1),
        "write_s": round(write_s, 1),
        "cases": len(report.cases),
        "sizes_mib": json.dumps({name: round(size, 2) for name, size in sizes.items()}),
        "compared": f"{'the run' if given.run else 'a generated run'} of {len(report.cases)} cases; opened: a page of "
        f"{given.shown} cases in a new headless browser, the median of five; targets: 25 MiB, 1 s",
    }


def _journal(report: Report, out: Path) -> Path:
    journal = Journal(out / FILE)
    journal.run(report.run)
    journal.target(report.target)
    for case in report.cases:
        journal.case(case)
    return journal.path


def _bytes(path: Path) -> int:
    """On the disk, where each file takes whole blocks."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files)


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("report", __doc__ or "")
    parser.add_argument("--run", type=Path, metavar="RUN", help="write the reports of this run, not of a generated one")
    parser.add_argument("--cases", type=int, default=1221, help="of the generated run (default: 1221)")
    parser.add_argument("--shown", type=int, default=5000, help="of the page that is opened (default: 5000)")
    return parser


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
