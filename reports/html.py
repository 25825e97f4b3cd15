"""`index.html`: the report that a person reads and an auditor keeps. One file, no network, works without scripts.

Evidence is hostile text: everything is escaped, and the page's own policy lets no script run but the one that the page
was written with (by its hash), and no request leave it.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from clients.model.evidence import Evidence, Verdict
from reports import attempts
from reports.argument import findings
from reports.egress_diagram import picture
from reports.matrix import WORST_FIRST, matrix, request_line, seen, short_host, stages
from reports.model import Report
from reports.pictures import embedded
from reports.timeline import LEGEND, timeline

TEMPLATES = Path(__file__).parent / "templates"
GLYPHS = {"pass": "✓", "fail": "✕", "inconclusive": "?", "skip": "\N{EN DASH}", "not-run": "○"}
"""Verdicts are told by word and sign, never by colour alone."""


def render(report: Report, folder: Path | None = None) -> str:
    """The whole page. The same report and pictures give the same bytes.

    Args:
        folder: of the run, for its pictures; without one the page only names them.
    """
    environment = _environment()
    style = Markup(environment.get_template("style.css.j2").render())  # noqa: S704  (our own file, no evidence in it)
    script = Markup((TEMPLATES / "script.js").read_text())  # noqa: S704  (the same)
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
        trouble=sorted(
            (case for case in report.cases if case.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)),
            key=lambda case: WORST_FIRST.index(case.verdict),
        ),
        skipped=[case for case in report.cases if case.verdict is Verdict.SKIP],
        anchors=anchors,
        first_of_control=_first_of_control(report.cases, anchors),
        twins=_by_control(report.cases, anchors),
        facts=_facts(report),
        embedded=partial(embedded, folder),
        style=style,
        script=script,
        policy=_policy(style, script),
    )


def headline(report: Report) -> str:
    """The outcome in one sentence."""
    totals = report.totals
    proven = f"{totals['pass']} of {len(report.cases) + len(report.not_run)} cases proven"
    if report.ok:
        return f"Conforms: {proven}" + (f", {totals['skip']} skipped" if totals["skip"] else "")
    if totals["fail"]:
        return f"Does not conform: {_count(totals['fail'], 'case')} failed, {proven}"
    return f"Not proven: {proven}"


def tone(report: Report) -> str:
    """The verdict on the whole run, as a class of the page."""
    return "pass" if report.ok else "fail" if report.totals["fail"] else "inconclusive"


def duration(run_started: str, run_ended: str) -> str:
    """`42 s` or `3 min 12 s` between two ISO 8601 times; empty when one is missing."""
    try:
        seconds = (datetime.fromisoformat(run_ended) - datetime.fromisoformat(run_started)).total_seconds()
    except (ValueError, TypeError):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _facts(report: Report) -> list[tuple[str, str]]:
    run, target, mesh = report.run, report.target, report.target.mesh
    rows = [
        ("Target", f"{target.kind}, context {target.context}" if target.context else target.kind),
        ("Service mesh", " ".join(filter(None, (mesh.name, mesh.version)))),
        ("Mesh revision", mesh.revision),
        ("Kubernetes", target.kubernetes),
        *target.details.items(),
        ("Run", run.id),
        ("Started", _time(run.started)),
        ("Ended", _time(run.ended) or "not recorded"),
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


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; img-src data:"


def _time(text: str) -> str:
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return text


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers: dict[str, Any] = {
        "glyphs": GLYPHS,
        "legend": LEGEND,
        "findings": findings,
        "fold": attempts.fold,
        "timeline": timeline,
        "request_line": request_line,
        "seen": seen,
        "short_host": short_host,
        "duration": duration,
    }
    environment.globals.update(helpers)
    environment.filters.update(seconds=_seconds, count=_count, time=_time)
    return environment
