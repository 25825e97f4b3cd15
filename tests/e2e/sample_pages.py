"""Every page that the product writes, each with every part that it can have."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from report_samples import APPLIED, a_case, sample_report

from clients.model.evidence import Evidence, Grade, Picture, Verdict
from clients.model.known import Advisory, KnownFailure
from reports import files
from reports.diff import compare
from reports.diff.page import render as render_diff
from reports.fleet.write import update as update_fleet
from reports.history.write import update
from reports.html import diagnostics, render
from reports.record import conformance
from reports.record.about import About, ControlRecord, Document, Provenance, StatedRequirement
from reports.record.model import MeshRecord, Report, TargetInfo
from runner.upgrade.page import render as render_upgrade
from runner.upgrade.plan import PHASES
from runner.upgrade.record import Cell, Event, PhaseRecord, UpgradeRecord, UpgradeSide
from runner.upgrade.verdict import verdict as judged

NEWER = TargetInfo("live", "1.34.4", MeshRecord("istio", "1.31.1", "default"), "prod", configuration={"CNI": "cilium"})
KNOWN = KnownFailure(
    control="LAB-AUTHZ-02", owner="mesh team", link="https://example.com/1", until="2027-01-01", reason="known",
    origin="known.toml",
)  # fmt: skip
MEASURED = (1.0, 1.1, 0.9, 1.0, 1.2)
"""Seconds to stable of five runs."""


def _report(folder: Path) -> Path:
    """A run with coverage, requirements, provenance, pictures, paths, known failures, and tables of both sizes."""
    file = folder / "index.html"
    whole = [*sample_report().cases, *_dense(), *_paths(), _pictured(folder), *_long()]
    cases = tuple(replace(one, known=KNOWN) if one.control == KNOWN.control else one for one in whole)
    controls = tuple(dict.fromkeys(one.control for one in cases))
    about = About(
        (Document("LAB", "Of the lab"), Document("IAP", "Of sign-in")),
        tuple(ControlRecord(name, name, "smoke" if place % 2 else "full") for place, name in enumerate(controls)),
        (StatedRequirement(("LAB-*",), "Step 1", "tokens are checked", {"NIST SP 800-53 Rev. 5": ("IA-9",)}),),
        Provenance("c0ffee", True, "someone on a-machine", {"budget_s": "30.0"}),
    )
    target = replace(
        sample_report().target, uid="1-2", server="https://10.0.0.1", images={"istiod": "a@sha256:1"},
        details={"envoy": "1.37.0"},
        in_force=("one", "another"),
    )  # fmt: skip
    report = replace(sample_report(), cases=cases, about=about, target=target, damaged=1)
    files.write_text(file, render(report, folder))
    return file


def _long() -> list[Evidence]:
    """Ids of a whole sentence, and text with no place to break it, as errors of libraries are."""
    url = "HTTPSConnectionPool(host='198.18.0.2',port=6443):/api/v1/namespaces/" + "a-long-name." * 20
    return [
        a_case(id=f"X-LONG-01[host {n} without a port, where the rule names both]", control="X-LONG-01",
               verdict=Verdict.INCONCLUSIVE, grade=None, reason=f"{n}: {url}", observed=url, expected=url,
               stage="long", stage_title="Long")
        for n in range(5)
    ]  # fmt: skip


def _dense() -> list[Evidence]:
    return [
        a_case(
            id=f"X-T-01[{here} to {there}]", control="X-T-01", stage="scale", stage_title="Each reaches each",
            source=f"n{here}/web", destination=f"web.n{there}.svc.cluster.local", polarity="allow", observed="200",
            verdict=Verdict.FAIL if here == there == 1 else Verdict.PASS, twin=None,
            grade=None if here == there == 1 else Grade.REDUCED if here == 2 else Grade.FULL,
        )
        for here in range(4)
        for there in range(9)
    ]  # fmt: skip


def _paths() -> list[Evidence]:
    ways = (("team-x/test", "egress gateway", "example.com"), ("team-y/test",), ("team-x/raw", "example.com"))
    return [
        a_case(id=f"EGR-{n}", control=f"EGR-{n}", stage="egress", stage_title="Egress", destination="example.com",
               network_path=way, advisory=Advisory("GHSA-1", "https://example.com/2", ("1.2",)))
        for n, way in enumerate(ways)
    ]  # fmt: skip


def _pictured(folder: Path) -> Evidence:
    rows = zlib.compress((b"\x00" + b"\xff" * 30) * 10)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    (folder / "a.png").write_bytes(png)
    shown = Picture("a.png", hashlib.sha256(png).hexdigest(), "after sign-in", "a name", 10, 10)
    gone = replace(shown, file="gone.png")
    return a_case(id="IAP-1", control="IAP-1", pictures=(shown, gone), stage="iap", stage_title="Sign-in")


def _diagnostics(folder: Path) -> Path:
    place = folder / "diagnostics" / "strict-gw0"
    place.mkdir(parents=True)
    for name in ("policies.yaml", "log-ns-pod-istio-proxy.txt", "config-ns-pod.json"):
        (place / f"{name}.gz").write_bytes(gzip.compress(b"a: line\n" * 50))
    diagnostics.write(folder)
    return place / diagnostics.INDEX


def _night(number: int, key: str = "", verdict: Verdict = Verdict.PASS, slower: float = 0.0, **target: str) -> Report:
    started = (date(2026, 9, 1) + timedelta(days=number)).isoformat()
    base = sample_report()
    run = replace(base.run, id=f"run-{number}{key}", started=f"{started}T02:00:00Z", ended=f"{started}T02:05:00Z")
    of_stages = [applied for objects in APPLIED.values() for applied in objects]
    cases = [
        a_case(id=f"A-{n}", control=f"A-{n}", title=f"Title of {n}", verdict=verdict if n == 1 else Verdict.PASS,
               grade=None if n == 1 and verdict is not Verdict.PASS else Grade.FULL, flaps=n == 2, slow=n == 3,
               time_to_stable_s=MEASURED[number % 5] + slower, applied=(of_stages[n % len(of_stages)],))
        for n in range(6)
    ]  # fmt: skip
    if number % 3:
        cases.append(a_case(id="A-7[x]", control="A-7", verdict=Verdict.SKIP, grade=None, reason="no gateway"))
    return replace(base, run=run, cases=tuple(cases), not_run=("A-8",), target=replace(NEWER, **target))


def _diff(folder: Path) -> Path:
    file = folder / "diff.html"
    before = [_night(n) for n in range(5)]
    after = [_night(n, "b", Verdict.FAIL, 1.0, kubernetes="1.35.0") for n in range(5, 10)]
    added = tuple(a_case(id=f"A-9[{name}]", control="A-9") for name in ("x", "y"))
    after = [replace(one, cases=(*one.cases[:-2], *added)) for one in after]
    files.write_text(file, render_diff(compare(before, after)))
    return file


def _keep(folder: Path, report: Report) -> None:
    conformance.save(report, folder / f"{report.target.context}-{report.run.id}" / conformance.FILE)


def _history(folder: Path) -> Path:
    """Two clusters, so that names occur twice."""
    for context in ("prod", "stage"):
        for number in range(24):
            verdict = Verdict.FAIL if number > 20 else Verdict.INCONCLUSIVE if number == 7 else Verdict.PASS
            slower = 2.0 if number > 12 else 0.0
            _keep(folder, _night(number, context, verdict, slower, context=context, kubernetes=f"1.3{number // 12}"))
    return update(folder)[1]


def _fleet(folder: Path) -> Path:
    ways = {"good": Verdict.PASS, "bad": Verdict.FAIL, "unknown": Verdict.INCONCLUSIVE}
    for number, (context, verdict) in enumerate(ways.items()):
        _keep(folder, _night(number, context, verdict, context=context))
    (folder / "broken").mkdir()
    (folder / "broken" / conformance.FILE).write_text("{}")
    return update_fleet([folder], folder)[1]


def _upgrade(folder: Path) -> Path:
    """All phases, each with a flow that leaked, and with a reason against the upgrade."""
    file = folder / "upgrade.html"
    old, new = UpgradeSide("stable", "1-29-1", "1.29.1"), UpgradeSide("next", "1-31-1", "1.31.1")
    cell = Cell("mesh-http1-denied", "client old, server new", False, 100, 0, 2, 0)
    event = Event("mixed", "leak", "mesh-http1-denied", "2 requests got through")
    phases = tuple(
        PhaseRecord(one.name, 1.0, 2.0, (cell, replace(cell, flow="egress-http1-kept", leaked=0)), (event,), "run")
        for one in PHASES
    )
    record = UpgradeRecord("upgrade-1", old, new, phases=phases)
    files.write_text(file, render_upgrade(record, judged(record)))
    return file


PAGES: dict[str, Callable[[Path], Path]] = {
    "report": _report,
    "diagnostics": _diagnostics,
    "diff": _diff,
    "history": _history,
    "fleet": _fleet,
    "upgrade": _upgrade,
}
"""Template of a page → writes it into a folder; returns the file."""
