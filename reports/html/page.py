"""`index.html`: the report that a person reads and an auditor keeps. One file, no network, works without scripts.

Evidence is hostile text: everything is escaped, and the page's own policy lets no script run but the one that the page
was written with (by its hash), and no request leave it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment

from clients.model.evidence import Evidence, Verdict
from reports import attempts
from reports.argument import chain
from reports.headline import duration, headline, tone
from reports.html.egress_diagram import picture
from reports.html.frame import frame, templates, time_text
from reports.html.timeline import LEGEND, timeline
from reports.known import advice, by_entry
from reports.marks import mark
from reports.matrix import matrix, request_line, seen, short_host, stages
from reports.model import Report
from reports.pictures import embedded
from reports.reasons import by_reason, by_unchecked


def render(report: Report, folder: Path | None = None) -> str:
    """The whole page. The same report and pictures give the same bytes.

    Args:
        folder: of the run, for its pictures; without one the page only names them.
    """
    environment = _environment()
    page = frame(["style.css.j2"], ["theme.js", "script.js"])
    anchors = _anchors(report.cases)
    groups = stages(report.cases)
    return environment.get_template("report.html.j2").render(
        report=report,
        run=report.run,
        target=report.target,
        totals=report.totals,
        headline=headline(report),
        tone=tone(report),
        groups=groups,
        matrices=[table for table in map(matrix, groups) if table],
        pictures=[drawn for drawn in map(picture, groups) if drawn],
        trouble=by_reason(report.cases, Verdict.FAIL, Verdict.INCONCLUSIVE),
        known=by_entry(report),
        advice=advice(report),
        reduced=by_unchecked(report.cases),
        skipped=by_reason(report.cases, Verdict.SKIP),
        anchors=anchors,
        first_of_control=_first_of_control(report.cases, anchors),
        twins=_by_control(report.cases, anchors),
        facts=_facts(report),
        embedded=partial(embedded, folder),
        style=page.style,
        script=page.script,
        policy=page.policy,
    )


def _facts(report: Report) -> list[tuple[str, str]]:
    run, target, mesh = report.run, report.target, report.target.mesh
    rows = [
        ("Target", f"{target.kind}, context {target.context}" if target.context else target.kind),
        ("Service mesh", " ".join(filter(None, (mesh.name, mesh.version)))),
        ("Mesh revision", mesh.revision),
        ("Kubernetes", target.kubernetes),
        *target.details.items(),
        ("Run", run.id),
        ("Started", time_text(run.started)),
        ("Ended", time_text(run.ended) or "not recorded"),
        ("Exit code", "not recorded" if run.exit is None else str(run.exit)),
        ("Stopped by", run.interrupted),
        ("Command", run.command),
        *run.environment.items(),
    ]
    return [(name[:1].upper() + name[1:], value) for name, value in rows if value]


def _anchors(cases: Iterable[Evidence]) -> dict[str, str]:
    """Case id → unique id in the page: `LAB-MTLS-03`, `LAB-JWT-04.expired`."""
    anchors: dict[str, str] = {}
    used: set[str] = set()
    for case in cases:
        base = re.sub(r"[^A-Za-z0-9_-]+", ".", case.id).strip(".") or "case"
        anchor, number = base, 2
        while anchor in used:
            anchor, number = f"{base}.{number}", number + 1
        used.add(anchor)
        anchors[case.id] = anchor
    return anchors


def _first_of_control(cases: Iterable[Evidence], anchors: Mapping[str, str]) -> dict[str, str]:
    """Case id → control, for the first case of a control whose own name is no anchor yet."""
    taken = set(anchors.values())
    first: dict[str, str] = {}
    for case in cases:
        if case.control not in taken and re.fullmatch(r"[A-Za-z0-9_-]+", case.control):
            taken.add(case.control)
            first[case.id] = case.control
    return first


def _by_control(cases: Iterable[Evidence], anchors: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in cases:
        found.setdefault(case.control, anchors[case.id])
    return found


@cache
def _environment() -> Environment:
    environment = templates()
    helpers: dict[str, Any] = {
        "legend": LEGEND,
        "mark": mark,
        "chain": chain,
        "fold": attempts.fold,
        "timeline": timeline,
        "request_line": request_line,
        "seen": seen,
        "short_host": short_host,
        "duration": duration,
    }
    environment.globals.update(helpers)
    return environment
