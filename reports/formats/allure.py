"""`allure-results/`: the same evidence as Allure reads it. An extra view, never the source.

The results are written from the evidence and not by the pytest plug-in: they survive a crash of a worker, and cases
with equal parameter values stay apart, since every id is made from the case's own. What several cases share is one
file, to which each of them refers: the objects that were applied for a stage are the same for all its cases.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from hashlib import md5
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from allure_commons.model2 import (
    Attachment,
    Label,
    Link,
    Parameter,
    Status,
    StatusDetails,
    TestResult,
    TestStepResult,
)
from attr import asdict

from clients.model.evidence import Evidence, FindingVerdict, Verdict
from reports.argument import chain
from reports.attempts import fold, one_line
from reports.files import write_text
from reports.formats import allure_history
from reports.marks import WORDS, Mark, mark
from reports.pictures import content
from reports.record.model import Report

FOLDER = "allure-results"
_STATUS = {
    Verdict.PASS: Status.PASSED,
    Verdict.FAIL: Status.FAILED,
    Verdict.INCONCLUSIVE: Status.BROKEN,
    Verdict.SKIP: Status.SKIPPED,
}
_STATUS_OF_LINK = {
    FindingVerdict.PASS: Status.PASSED,
    FindingVerdict.FAIL: Status.FAILED,
    FindingVerdict.INCONCLUSIVE: Status.BROKEN,
    FindingVerdict.NOT_CHECKED: Status.SKIPPED,
}
_CATEGORIES = [
    {"name": "The mesh does not enforce it", "matchedStatuses": [Status.FAILED]},
    {"name": "Inconclusive: infrastructure", "matchedStatuses": [Status.BROKEN]},
    {"name": "Skipped: capability missing", "matchedStatuses": [Status.SKIPPED]},
]


def write(report: Report, folder: Path, before: Path | None = None) -> None:
    """Write the results of `report` into `folder`, which belongs to this report: of what was there, history stays.

    Pictures are taken from the folder around it, which is the run's.

    Args:
        before: folder of the results of the run before, for trends.

    Raises:
        OSError: it cannot be written.
    """
    _empty(folder)
    for case in report.cases:
        result = _result(report, case, folder)
        # Compact, and under a name that stays: Allure's own logger makes a new one each time.
        data = asdict(result, filter=lambda _, value: value or value is False)
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        write_text(folder / f"{result.uuid}-result.json", text)
    if before:
        allure_history.carry_over(before, folder)
    write_text(folder / "environment.properties", _environment(report))
    write_text(folder / "categories.json", json.dumps(_CATEGORIES, indent=1) + "\n")
    executor = {
        "name": "meshproof",
        "type": "meshproof",
        "buildName": report.run.id,
        "buildOrder": allure_history.build_number(folder),
        "reportName": "meshproof",
    }
    write_text(folder / "executor.json", json.dumps(executor, indent=1) + "\n")


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name == allure_history.FOLDER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _result(report: Report, case: Evidence, folder: Path) -> TestResult:
    stop = _milliseconds(report.recorded.get(case.id, "") or report.run.ended or report.run.started)
    start = stop - round(case.duration_s * 1000)
    identity = md5(case.id.encode(errors="replace"), usedforsecurity=False).hexdigest()
    labels = {
        "parentSuite": case.suite,
        "suite": case.stage_title or case.stage,
        "feature": case.control,
        "thread": case.worker,
    }
    return TestResult(
        uuid=str(_uuid(f"{report.run.id}/{case.id}")),
        historyId=identity,
        testCaseId=identity,
        fullName=case.id,
        name=f"{case.id} {case.title}",
        status=_STATUS[case.verdict],
        statusDetails=StatusDetails(
            message=case.reason or None, flaky=bool(case.flaps) or None, known=mark(case) == Mark.KNOWN or None
        ),
        stage="finished",
        start=start,
        stop=stop,
        links=_links(case),
        description=_description(case),
        labels=[
            *(Label(name, value) for name, value in labels.items() if value),
            *(Label("tag", tag) for tag in _tags(case) if tag),
            Label("framework", "meshproof"),
        ],
        parameters=[
            Parameter(name, value)
            for name, value in (("from", case.source), ("to", case.destination), ("request", case.command))
            if value
        ],
        steps=_steps(case),
        attachments=_attachments(report, case, folder),
    )


def _uuid(text: str) -> UUID:
    """The same for the same text; half a character, which has no bytes, counts as a question mark."""
    return uuid5(NAMESPACE_URL, text.encode(errors="replace").decode())


def _steps(case: Evidence) -> list[TestStepResult]:
    """Without times: what a link of the argument took is not known, and that of the whole case is the case's."""
    return [
        TestStepResult(
            name=one_line(f"{' '.join(filter(None, (link.name, link.twin)))}: {link.line}"),
            status=_STATUS_OF_LINK[link.verdict],
        )
        for link in chain(case)
    ]


def _links(case: Evidence) -> list[Link]:
    """The issue of a known failure, and the advisory that the control is about."""
    links = [Link("issue", case.known.link, f"known {case.known.text}")] if case.known else []
    return [*links, Link("link", case.advisory.link, case.advisory.id)] if case.advisory else links


def _tags(case: Evidence) -> tuple[str, ...]:
    grade = "reduced proof" if mark(case) == Mark.REDUCED else WORDS[Mark.KNOWN] if mark(case) == Mark.KNOWN else ""
    return case.control, case.polarity, grade, "slow" if case.slow else ""


def _description(case: Evidence) -> str:
    """Markdown: expected, observed, and each attempt."""
    text = f"Expected: {case.expected}\n\nObserved: {case.observed}"
    if not case.attempts:
        return text
    attempts = "\n".join(f"{row.text}  {row.first.request_id}" for row in fold(case.attempts))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", attempts)), default=0))
    return f"{text}\n\n{fence}text\n{attempts}\n{fence}"


def _attachments(report: Report, case: Evidence, folder: Path) -> list[Attachment]:
    attached = []
    if case.applied:
        text = "---\n".join(f"# {item.manifest}\n{item.yaml.rstrip()}\n" for item in case.applied)
        source = f"{_uuid(text)}-attachment.yaml"
        if not (folder / source).exists():
            write_text(folder / source, text)
        attached.append(Attachment(name="applied objects", source=source, type="application/yaml"))
    return attached + _pictures(report, case, folder)


def _pictures(report: Report, case: Evidence, folder: Path) -> list[Attachment]:
    attached = []
    for picture in case.pictures:
        if data := content(folder.parent, picture):
            source = f"{_uuid(f'{report.run.id}/{case.id}/{picture.file}')}-attachment.png"
            (folder / source).write_bytes(data)
            attached.append(
                Attachment(name=f"what the browser showed {picture.title}", source=source, type="image/png")
            )
    return attached


def _environment(report: Report) -> str:
    mesh = report.target.mesh
    facts = {
        "Target": report.target.kind,
        "Kubernetes": report.target.kubernetes,
        "Mesh": f"{mesh.name} {mesh.version}".strip(),
        "Mesh revision": mesh.revision,
        **report.target.facts,
        **report.run.programs,
        "Run": report.run.id,
        "Command": report.run.command,
    }
    return "".join(f"{_property(key, True)}={_property(value, False)}\n" for key, value in facts.items() if value)


def _property(text: str, key: bool) -> str:
    """As java.util.Properties reads it: ASCII, the rest as hexadecimal escapes; blanks, `=` and `:` end a key."""
    text = one_line(text).replace("\\", "\\\\")
    if key:
        text = "".join(f"\\{sign}" if sign in " =:#!" else sign for sign in text)
    units = text.encode("utf-16-be", errors="replace")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if 32 <= code < 127 else f"\\u{code:04x}" for code in codes)


def _milliseconds(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
