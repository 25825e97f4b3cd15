"""`junit.xml`: one suite for each stage, one test case for each case, for CI systems that read nothing else."""

from __future__ import annotations

import re

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from clients.model.evidence import Evidence, Verdict
from reports.attempts import fold, one_line
from reports.marks import GLYPHS, WORDS, Mark, finding_line, mark, not_checked
from reports.matrix import MatrixStage, stages
from reports.record.model import Report

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2)."""


def render(report: Report) -> str:
    """The whole file. `inconclusive` and what was not run are errors, since neither says anything about the mesh.

    Of a full pass the findings are only named. A pass of reduced grade is a pass; its output begins with the grade, and
    its suite counts it as a property. A known failure is skipped, as pytest writes an expected failure, with a type of
    its own; its suite counts it as well.
    """
    document = JUnitXml("meshproof")
    for stage in stages(report.cases):
        document.add_testsuite(_suite(report, stage))
    if report.not_run:
        suite = TestSuite("not run")
        for key in report.not_run:
            case = TestCase(_clean(key), "not run")
            case.result = [Error(f"it was selected, and {report.run.no_record}", "not run")]
            suite.add_testcase(case)
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    document._elem.attrib.pop("skipped", None)  # schemas of JUnit know it of suites only
    return str(document.tostring().decode())  # type: ignore[no-untyped-call]


def _suite(report: Report, stage: MatrixStage) -> TestSuite:
    suite = TestSuite(_clean(" / ".join(filter(None, (stage.suite, stage.title))) or "meshproof"))
    if report.run.started:
        suite.timestamp = _clean(report.run.started)
    mesh = report.target.mesh
    facts = {
        "run": report.run.id,
        "target": report.target.kind,
        "kubernetes": report.target.kubernetes,
        "mesh": f"{mesh.name} {mesh.version}".strip(),
        "mesh_revision": mesh.revision,
        "cluster": report.target.title,
        "stage": stage.name,
        Mark.REDUCED: str(sum(mark(case) == Mark.REDUCED for case in stage.cases) or ""),
        Mark.KNOWN: str(sum(mark(case) == Mark.KNOWN for case in stage.cases) or ""),
    }
    for name, value in facts.items():
        if value:
            suite.add_property(name, _clean(value))
    for case in stage.cases:
        suite.add_testcase(_case(case))
    return suite


def _case(case: Evidence) -> TestCase:
    place = ".".join(filter(None, (case.suite, case.stage))) or "meshproof"
    row = TestCase(_clean(f"{case.id} {case.title}"), _clean(place))
    row.time = round(case.duration_s, 3)  # schemas take no exponent, as in 1e-05
    match case.verdict:
        case Verdict.FAIL if case.known:
            row.result = [Skipped(_clean(one_line(f"{case.known.text}; {case.reason}")), WORDS[Mark.KNOWN])]
        case Verdict.FAIL:
            row.result = [_problem(Failure(_clean(one_line(case.reason)), "fail"), case)]
        case Verdict.INCONCLUSIVE:
            row.result = [_problem(Error(_clean(one_line(case.reason)), "inconclusive"), case)]
        case Verdict.SKIP:
            row.result = [Skipped(_clean(one_line(case.reason)), "skip")]
    if not isinstance(row.result[0] if row.result else None, Failure | Error):  # these have it themselves
        row.system_out = _clean(_text(case))
    return row


def _problem(result: Failure | Error, case: Evidence) -> Failure | Error:
    result.text = _clean(_text(case))
    return result


def _text(case: Evidence) -> str:
    lines = [_grade(case)] if mark(case) == Mark.REDUCED else []
    lines += [f"why: {one_line(case.why)}"] if case.why else []
    lines += [f"expected: {case.expected}", f"observed: {case.observed}", *(row.text for row in fold(case.attempts))]
    lines += [_named(case)] if mark(case) is Mark.PASS else map(finding_line, case.findings)
    lines += [f"picture {picture.title}: {picture.file} (sha256 {picture.sha256})" for picture in case.pictures]
    return "\n".join(lines)


def _named(case: Evidence) -> str:
    """`✓ backend log, twin, exec`: what was found for a full pass is in the page and in `conformance.json`."""
    return f"{GLYPHS[Mark.PASS]} {', '.join(finding.name for finding in case.findings)}"


def _grade(case: Evidence) -> str:
    """`grade: reduced (not checked: access log: it is not available on this target)`."""
    unchecked = "; ".join(one_line(f"{finding.name}: {finding.text}") for finding in not_checked(case))
    return f"grade: reduced (not checked: {unchecked})"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
