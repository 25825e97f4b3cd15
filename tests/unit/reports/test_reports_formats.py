"""JUnit, Markdown, Allure, and writing them all."""

from __future__ import annotations

import errno
import json
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_samples import UNCHECKED, a_case, found, sample_contents, sample_report

from clients.model.evidence import Grade, Verdict
from reports import html
from reports.formats import allure, junit, markdown
from reports.notice.news import News
from reports.record import conformance, packed
from reports.record.journal import Journal, read
from reports.record.model import Report, ReportError
from reports.write import write_all, write_reports

pytestmark = pytest.mark.unit

HOSTILE = "a|b `c` <img> **d** @user #1\nsecond \x00\x1b[31m\ud83d \uffff ]]> &"


def _with(**changes: object) -> Report:
    return replace(sample_report(), cases=(a_case(**changes),), not_run=())


def test_junit_counts_what_the_report_counts() -> None:
    root = ElementTree.fromstring(junit.render(sample_report()))
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["41", "2", "3"]
    assert sum(int(str(suite.get("skipped"))) for suite in root) == 3
    case = next(row for row in root.iter("testcase") if str(row.get("name")).startswith("LAB-NSMTLS-03 "))
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "expected 000 reset (56), saw 200 on all of 75 attempts in 30 s"
    assert "75 × 200" in str(failure.text)  # noqa: RUF001
    suite = next(
        row
        for row in root.iter("testsuite")
        if row.get("name") == "suites/lab/test_lab.py / A namespace's policy demands mutual TLS"
    )
    properties = {row.get("name"): row.get("value") for row in suite.iter("property")}
    assert properties["mesh"] == "istio 1.29.1"


def test_junit_marks_reduced_proof_and_counts_it_as_a_pass() -> None:
    root = ElementTree.fromstring(junit.render(sample_report()))
    [suite] = [row for row in root.iter("testsuite") if "Tokens are checked" in str(row.get("name"))]
    assert {row.get("name"): row.get("value") for row in suite.iter("property")}["reduced"] == "3"
    case = next(row for row in suite.iter("testcase") if str(row.get("name")).startswith("LAB-JWT-04[expired] "))
    assert case.find("failure") is case.find("error") is None
    out = str(case.findtext("system-out"))
    assert out.startswith(f"grade: reduced (not checked: access log: {UNCHECKED})\n")
    assert f"○ access log: not checked: {UNCHECKED}" in out
    assert "✓ backend log: 31 request ids absent" in out
    others = [str(row.findtext("system-out")) for row in root.iter("testcase")]
    assert sum("grade: reduced" in text for text in others) == 3


def test_junit_repeats_no_text() -> None:
    """The findings of a full pass are named, and each case has its proof once: the page has the rest."""
    proof = (found("backend log", "31 ids absent in a/b-6884b5f7d7-brsrc"), found("leak", "17 probes refused"))
    cases = [a_case(findings=proof), a_case(id="R", findings=proof, grade=Grade.REDUCED),
             a_case(id="F", findings=proof, verdict=Verdict.FAIL, grade=None, reason="no")]  # fmt: skip
    report = replace(sample_report(), cases=tuple(cases), not_run=())
    passed, reduced, failed = ElementTree.fromstring(junit.render(report)).iter("testcase")
    assert "✓ backend log, leak" in passed.findtext("system-out", "")
    assert "31 ids absent" not in passed.findtext("system-out", "")
    assert "✓ backend log: 31 ids absent" in reduced.findtext("system-out", "")
    assert "✓ backend log: 31 ids absent" in failed.findtext("failure", "")
    assert failed.find("system-out") is None


def test_junit_is_xml_whatever_the_evidence_holds() -> None:
    report = _with(reason=HOSTILE, title=HOSTILE, observed=HOSTILE, verdict=Verdict.FAIL, stage=HOSTILE)
    root = ElementTree.fromstring(junit.render(report).encode())
    assert "second \ufffd\ufffd[31m\ufffd \ufffd ]]> &" in str(next(root.iter("failure")).text)


def test_markdown_shows_failures_before_the_table() -> None:
    text = markdown.render(sample_report())
    assert text.startswith(
        "## Does not conform: 2 cases failed, 33 of 41 cases proven on the embedded cluster (istio 1.29.1), 3 of them"
    )
    assert "| 33 | 3 | 2 | 1 | 3 | 2 |" in text
    places = [
        text.index(part) for part in ("<b>LAB-NSMTLS-03</b>", "<b>LAB-PATH-04</b>", "Not run (2)", "### All cases")
    ]
    assert places == sorted(places)
    assert text.index("| ✕ fail | LAB-NSMTLS-03") < text.index("| ✓ pass | LAB-PERM-01")


def test_markdown_shows_what_is_new_first() -> None:
    report = sample_report()
    assert "New since" not in markdown.render(report)
    none = News("20261126-000000-abcd")
    assert "Nothing is new since run 20261126-000000-abcd." in markdown.render(report, news=none)
    text = markdown.render(report, news=replace(none, worse=("LAB-PATH-04",), good=("LAB-PERM-01",)))
    places = [
        text.index(part)
        for part in (
            "**New since run 20261126-000000-abcd (1):** LAB-PATH-04",
            "**Good again since run 20261126-000000-abcd (1):** LAB-PERM-01",
            "<b>LAB-PATH-04</b>",
            "<b>LAB-NSMTLS-03</b>",
        )
    ]
    assert places == sorted(places)
    assert "Nothing is new since run 20261126-000000-abcd." in markdown.render(
        report, news=News("20261126-000000-abcd")
    )


def test_the_first_run_of_a_folder_has_nothing_to_be_newer_than(tmp_path: Path) -> None:
    report = sample_report()
    (tmp_path / report.run.id).mkdir()
    write_reports(report, tmp_path / report.run.id)
    text = (tmp_path / report.run.id / "summary.md").read_text(encoding="utf-8")
    assert "✕ <b>LAB-NSMTLS-03</b>" in text
    assert "since run" not in text


def test_the_summary_of_a_run_knows_the_run_before(tmp_path: Path) -> None:
    report = sample_report()
    earlier = replace(report.run, id="20261101-000000-abcd", started="2026-11-01T00:00:00+00:00", exit=0)
    passed = tuple(replace(case, verdict=Verdict.PASS, grade=Grade.FULL, known=None) for case in report.cases)
    (tmp_path / earlier.id).mkdir()
    conformance.save(replace(report, run=earlier, cases=passed), tmp_path / earlier.id / conformance.FILE)
    (tmp_path / "20261102-000000-abcd").mkdir()
    later = replace(report, run=replace(report.run, id="20261102-000000-abcd", started="2026-11-02T00:00:00+00:00"))
    write_reports(later, tmp_path / later.run.id)
    text = (tmp_path / later.run.id / "summary.md").read_text(encoding="utf-8")
    assert f"**New since run {earlier.id} (" in text


def test_markdown_lists_reduced_and_skipped_cases_by_their_reason() -> None:
    text = markdown.render(sample_report())
    assert "**Passed with reduced proof, as this was not checked (3):**\n\n- access log: " in text
    assert "| ◐ pass, reduced | LAB-JWT-04&#91;expired&#93; |" in text
    assert "**Skipped (3):**" in text
    assert "metrics filter: LAB-DASH-01, LAB-DASH-02\n" in text


def test_markdown_keeps_hostile_text_in_its_cell() -> None:
    text = markdown.render(_with(title=HOSTILE, observed=HOSTILE, reason="```\n</details>", verdict=Verdict.FAIL))
    table = text[text.index("### All cases") :].splitlines()
    assert len(table) == 5
    assert table[4].count("|") == 7
    assert "<img" not in text.split("````text")[0] + table[4]
    assert "````text" in text


@pytest.mark.parametrize("limit", [600, 5_000, markdown.LIMIT])
def test_markdown_stays_below_the_limit_of_github(limit: int) -> None:
    report = sample_report()
    failed = tuple(a_case(id=f"C-{n}", verdict=Verdict.FAIL, reason="é" * 9000) for n in range(300))
    text = markdown.render(replace(report, cases=(*failed, *report.cases)), limit)
    assert len(text.encode()) <= limit
    assert "302 cases failed" in text
    assert ("left out here" in text) == (limit < markdown.LIMIT)
    assert ("| ✓ pass | LAB-PERM-01" in text) == (limit == markdown.LIMIT)


def test_allure_has_the_same_verdicts_and_keeps_cases_apart(tmp_path: Path) -> None:
    stale = tmp_path / "allure-results" / "old-result.json"
    stale.parent.mkdir()
    stale.write_text("{}")
    allure.write(sample_report(), stale.parent)
    results = [json.loads(path.read_text()) for path in stale.parent.glob("*-result.json")]
    assert Counter(row["status"] for row in results) == {"passed": 33, "failed": 2, "broken": 1, "skipped": 3}
    assert len({row["historyId"] for row in results}) == len({row["uuid"] for row in results}) == 39
    row = next(row for row in results if row["fullName"] == "LAB-AUTHZ-02")
    assert row["statusDetails"]["flaky"]
    reduced = [row["fullName"] for row in results if {"name": "tag", "value": "reduced proof"} in row["labels"]]
    assert len(reduced) == 3
    steps = next(row["steps"] for row in results if row["fullName"] == "LAB-JWT-04[expired]")
    assert {step["name"]: step["status"] for step in steps}[f"Access log: not checked: {UNCHECKED}"] == "skipped"
    assert {key for step in steps for key in step} == {"name", "status"}, "nothing that is the case's own is repeated"
    assert row["stop"] - row["start"] == 30_400
    assert "```text\n" in row["description"]
    assert "as expected" in row["description"]
    [item] = row["attachments"]
    assert "# lab/require-jwt.yaml\napiVersion: " in (stale.parent / item["source"]).read_text()
    shared = {item["source"] for row in results for item in row.get("attachments", ())}
    assert shared == {path.name for path in stale.parent.glob("*-attachment.*")}
    assert len(shared) == len({case.applied for case in sample_report().cases if case.applied}) == 4
    assert "Mesh\\ revision=default\n" in (stale.parent / "environment.properties").read_text()
    assert json.loads((stale.parent / "executor.json").read_text())["buildName"] == "20261122-161305-7c1e"
    assert len(json.loads((stale.parent / "categories.json").read_text())) == 3


def test_allure_takes_half_a_character(tmp_path: Path) -> None:
    picture = a_case()
    report = replace(sample_report(), cases=(replace(picture, id="X-\ud800", title="\ud800"),))
    allure.write(report, tmp_path)
    assert len(list(tmp_path.glob("*-result.json"))) == 1


def test_allure_properties_are_escaped(tmp_path: Path) -> None:
    report = sample_report()
    target = replace(report.target, details={"a = b:c": "C:\\x\nü\N{GRINNING FACE}"})
    allure.write(replace(report, target=target), tmp_path)
    lines = (tmp_path / "environment.properties").read_text().splitlines()
    assert "a\\ \\=\\ b\\:c=C:\\\\x \\u00fc\\ud83d\\ude00" in lines


def test_allure_finds_a_case_of_the_run_before_whatever_came_of_it(tmp_path: Path) -> None:
    """Trends go by `historyId`; each run has results of its own."""
    before, after = tmp_path / "before", tmp_path / "after"
    first = sample_report()
    cases = tuple(
        replace(case, verdict=Verdict.FAIL, grade=None, reason="changed", worker="gw7", observed="500", duration_s=9.0)
        for case in reversed(first.cases)
    )
    allure.write(first, before)
    allure.write(replace(first, cases=cases, run=replace(first.run, id="r2")), after)
    rows = [[json.loads(path.read_text()) for path in folder.glob("*-result.json")] for folder in (before, after)]
    known, again = [{row["fullName"]: row for row in found} for found in rows]
    assert known.keys() == again.keys()
    assert {name: row["historyId"] for name, row in known.items()} == {
        name: row["historyId"] for name, row in again.items()
    }
    assert not {row["uuid"] for row in known.values()} & {row["uuid"] for row in again.values()}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    contents = sample_contents()
    writer = Journal(tmp_path / "out" / "r1" / "journal.ndjson")
    assert contents.run is not None
    assert contents.target is not None
    writer.run(contents.run)
    writer.target(contents.target)
    for _, case in contents.cases:
        writer.case(case)
    return writer.path


def test_all_reports_come_from_the_journal_alone(journal: Path) -> None:
    out = journal.parent
    assert write_all(journal, out) == out / "index.html"
    names = {path.name for path in out.iterdir()}
    assert names == {
        "journal.ndjson.gz", "conformance.json", "index.html", "junit.xml", "summary.md", "metrics.prom",
        "allure-results", "attestation.json", "attestation.pub",
    }  # fmt: skip
    assert (out.parent / "latest").readlink() == Path("r1")
    assert conformance.load(out.parent / "latest").totals["pass"] == 33


def test_a_journal_is_compressed_when_all_is_written_and_reports_can_be_made_of_it_again(journal: Path) -> None:
    out, before = journal.parent, read(journal)
    write_all(journal, out)
    assert not journal.exists()
    first = (out / "journal.ndjson.gz").read_bytes()
    assert read(journal) == before
    report = (out / "conformance.json").read_bytes()
    write_all(journal, out)
    assert (out / "journal.ndjson.gz").read_bytes() == first
    assert (out / "conformance.json").read_bytes() == report


def test_the_journal_of_a_run_that_goes_on_stays_as_it_is(journal: Path) -> None:
    """What a test process appends while it is compressed would be lost, and so would diagnostics that it gathers."""
    gathered = journal.parent / "diagnostics" / "strict-gw0" / "events.txt"
    gathered.parent.mkdir(parents=True)
    gathered.write_text("a line\n")
    run = read(journal).run
    assert run is not None
    Journal(journal).run(replace(run, ended="", exit=None))
    before = journal.read_bytes()
    write_all(journal, journal.parent)
    assert journal.read_bytes() == before
    assert gathered.read_text() == "a line\n"
    assert "still goes on, or was killed" in (journal.parent / "index.html").read_text(encoding="utf-8")
    killed = time.time() - 3600
    os.utime(journal, (killed, killed))
    write_all(journal, journal.parent)
    assert not journal.exists()
    assert not gathered.exists()


def test_reports_in_another_folder_leave_the_journal_as_it_is(journal: Path) -> None:
    before = journal.read_bytes()
    write_all(journal, journal.parent.parent / "r2")
    assert journal.read_bytes() == before


def test_a_journal_that_cannot_be_compressed_is_kept(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(packed, "pack", full)
    before = journal.read_bytes()
    with pytest.raises(ReportError, match=r"journal\.ndjson: No space left on device"):
        write_all(journal, journal.parent)
    assert journal.read_bytes() == before


def test_latest_moves_on_and_reports_can_be_written_again(journal: Path) -> None:
    out = journal.parent
    write_all(journal, out)
    other = out.parent / "r2"
    write_all(journal, other, run=replace(sample_report().run, id="r2"))
    assert (out.parent / "latest").readlink() == Path("r2")
    assert conformance.load(other).run.id == "r2"
    write_all(journal, out)
    assert (out.parent / "latest").readlink() == Path("r1")


def test_a_broken_report_does_not_cost_the_others(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Report, __: Path) -> str:
        raise KeyError("x")

    monkeypatch.setattr(html, "render", broken)
    with pytest.raises(ReportError, match=r"cannot write all reports in .*: index\.html: KeyError: 'x'"):
        write_all(journal, journal.parent)
    names = {path.name for path in journal.parent.iterdir()}
    assert {"conformance.json", "junit.xml", "summary.md", "allure-results"} <= names
    assert (journal.parent.parent / "latest").is_symlink()


def test_a_real_folder_called_latest_is_left_alone(journal: Path) -> None:
    kept = journal.parent.parent / "latest" / "kept"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(ReportError, match="latest is no link"):
        write_all(journal, journal.parent)
    assert kept.read_text() == "mine"
    assert (journal.parent / "index.html").exists()


def test_a_journal_without_a_run_still_gives_reports(tmp_path: Path) -> None:
    journal = tmp_path / "out" / "r" / "journal.ndjson"
    Journal(journal).case(a_case())
    index = write_all(journal, journal.parent)
    assert "LAB-MTLS-03" in index.read_text()
    assert conformance.load(journal.parent).target.kind == "unknown"
