"""`index.html`: the report that a person reads and an auditor keeps. One file, no network.

The summary is there without scripts; tables, rows and evidence are unpacked when they are opened
(`reports.html.parts`).

Evidence is hostile text: everything is escaped, and the page's own policy lets no script run but the one that the page
was written with (by its hash), and no request leave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment

from clients.model.evidence import Verdict
from reports import attempts
from reports.argument import chain
from reports.headline import duration, headline, tone
from reports.html.diagnostics import link
from reports.html.egress_diagram import picture
from reports.html.frame import frame, templates, time_text
from reports.html.index import Index, index
from reports.html.parts import PagePart, bodies, part
from reports.html.requirements import evidence_for
from reports.html.timeline import LEGEND, timeline
from reports.html.times import times
from reports.known import advice, by_entry
from reports.marks import mark
from reports.matrix import Matrix, matrix, request_line, seen, short_host, stages
from reports.pictures import embedded
from reports.reasons import by_reason, by_unchecked
from reports.record.coverage import coverage
from reports.record.model import Report

SMALL = 150
"""Cases up to which all tables and stages are open from the beginning."""


def render(report: Report, folder: Path | None = None) -> str:
    """The whole page. The same report and pictures give the same bytes.

    Args:
        folder: of the run, for its pictures; without one the page only names them.
    """
    environment = _environment()
    page = frame(["style.css.j2"], ["theme.js", "unpack.js", "script.js"])
    groups = stages(report.cases)
    known = index(groups)
    drawn = [(table, number) for number, table in enumerate(map(matrix, groups)) if table]
    return environment.get_template("report.html.j2").render(
        report=report,
        run=report.run,
        target=report.target,
        totals=report.totals,
        headline=headline(report),
        tone=tone(report),
        groups=groups,
        index=known,
        tables=drawn,
        small=len(report.cases) <= SMALL,
        built=list(_built(known, [table for table, _ in drawn], bool(report.reduced), folder)),
        pictures=[found for found in map(picture, groups) if found],
        trouble=by_reason(report.cases, Verdict.FAIL, Verdict.INCONCLUSIVE),
        known=by_entry(report),
        advice=advice(report),
        reduced=by_unchecked(report.cases),
        skipped=by_reason(report.cases, Verdict.SKIP),
        coverage=coverage(report),
        requirements=evidence_for(report),
        times=times(known),
        facts=_facts(report),
        style=page.style,
        script=page.script,
        policy=page.policy,
    )


def _built(known: Index, tables: Iterable[Matrix], reduced: bool, folder: Path | None) -> Iterator[PagePart]:
    """What the page's script builds when it is asked for: the index, tables, rows of stages, bodies of cases."""
    environment = _environment()
    table, rows, body = (environment.get_template(f"{name}.html.j2") for name in ("table", "rows", "body"))
    places = {"anchors": known.anchors, "places": known.places, "embedded": partial(embedded, folder)}
    places["gathered"] = partial(link, folder)
    yield part("index", known.text())
    for number, one in enumerate(tables):
        yield part(f"t{number}", table.render(table=one, reduced=reduced, **places))
    for number, stage in enumerate(known.groups):
        yield part(f"s{number}", rows.render(stage=stage, **places))
    yield from bodies(body.render(case=case, twins=known.twins, **places) for case in known.cases)


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
        ("Stopped by", run.stopped),
        ("Command", run.command),
        *run.programs.items(),
    ]
    return [(name[:1].upper() + name[1:], value) for name, value in rows if value]


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
