"""The history: 500 nights of 1,221 cases imported, and the page opened in a browser. Runs are generated."""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import common
from clients.model.errors import ClusterError
from clients.probe import browser
from reports.history import write
from reports.history.feed import feed
from reports.history.store import HistoryStore
from reports.record.conformance import FILE
from reports.record.model import SCHEMA

KINDS = ("PeerAuthentication", "DestinationRule", "AuthorizationPolicy", "RequestAuthentication", "Sidecar")
CASE_BYTES = 16_000
"""Of a case in a real report of the whole catalogue: 20 MB for 1,221 cases."""
LINE = '    app.kubernetes.io/managed-by: "meshproof"\n'
ATTEMPT = {"at_s": 1.5006088390000514, "phase": "confirm", "matched": True, "summary": "200", "problem": "",
           "request_id": "5d0c2a4e-77a1-4f6e-9c53-0d7a5a3e2c11", "local": "10.0.0.1:40000", "kind": "status",
           "status": 200, "ordinary": True}  # fmt: skip
"""Three quarters of a real report are objects as they were sent, a quarter is attempts."""
FIRST = datetime(2025, 1, 1, 2, tzinfo=UTC)
MIB = 1024


def generated(number: int, cases: int, case_bytes: int) -> str:
    """A report: times drift and step, cases flap and fail now and then, versions change every 30 nights."""
    chance = random.Random(number)  # noqa: S311  (no secret: always the same nights)
    started = (FIRST + timedelta(days=number)).isoformat()
    rows = []
    for index in range(cases):
        bad = chance.random() < 0.002
        rows.append({
            "control": f"X-{index:04}", "id": f"X-{index:04}", "title": f"Control {index} holds on every path",
            "verdict": "fail" if bad else "pass", "grade": None if bad else "full",
            "flaps": int(chance.random() < 0.01), "slow": chance.random() < 0.005,
            "time_to_stable_s": round(1 + number / 1000 + chance.random() + (number > 450), 3),
            "applied": [{"kind": KINDS[index % len(KINDS)], "yaml": LINE * (case_bytes * 3 // 4 // len(LINE))}],
            "timeline": [ATTEMPT] * (case_bytes // 4 // len(str(ATTEMPT))),
        })  # fmt: skip
    return json.dumps({
        "schema": SCHEMA,
        "run": {"id": f"run-{number:04}", "started": started, "command": "meshproof run"},
        "target": {"kind": "live", "kubernetes": "1.34.4", "context": "prod",
                   "mesh": {"name": "istio", "version": f"1.31.{number // 30}"}},
        "cases": rows,
    })  # fmt: skip


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Import night by night, each file removed after its import; then write and open the page."""
    browser = common.browser()
    folder = Path(tempfile.mkdtemp(prefix="meshproof-bench-"))
    try:
        import_s = 0.0
        run = folder / "run"
        run.mkdir()
        for number in range(given.runs):
            (run / FILE).write_text(generated(number, given.cases, given.case_bytes))
            started = time.monotonic()
            with HistoryStore(folder / "history.sqlite") as store:
                problems = feed(store, folder).problems
            import_s += time.monotonic() - started
            if problems:
                raise ClusterError(f"a generated run did not go in: {problems[0]}")
        started = time.monotonic()
        _, page = write.update(folder)
        page_s = time.monotonic() - started
        open_s = statistics.median(opened(browser, page) for _ in range(3))
        size = page.stat().st_size / MIB**2
        file = (folder / "history.sqlite").stat().st_size / MIB**2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    return {
        "import_s": round(import_s, 1),
        "open_s": round(open_s, 2),
        "peak_mib": round(peak),
        "page_s": round(page_s, 1),
        "page_mib": round(size, 1),
        "file_mib": round(file, 1),
        "compared": f"{given.runs} runs of {given.cases} cases with {given.case_bytes} bytes each, the store opened "
        "for each run; targets: import 60 s, open 3 s, 500 MiB",
    }


def opened(program: str, page: Path) -> float:
    """Seconds until a new browser has loaded and laid out the page."""
    with browser.Browser(program, {}, [page.parent]) as started, started.window("meshproof bench") as window:
        before = time.monotonic()
        window.page.goto(page.as_uri(), timeout=60_000)
        window.page.evaluate("document.body.offsetHeight")
        return time.monotonic() - before


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("history", __doc__ or "")
    parser.add_argument("--runs", type=int, default=500, help="nights (default: 500)")
    parser.add_argument("--cases", type=int, default=1221, help="cases of a run, each its own control (default: 1221)")
    parser.add_argument("--case-bytes", type=int, default=CASE_BYTES, help=f"size of a case (default: {CASE_BYTES})")
    return parser


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
