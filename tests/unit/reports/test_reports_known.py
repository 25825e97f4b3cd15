"""Known failures in every report: shown apart, no failure of the run, and what the lists should be changed to."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml
from report_samples import a_case, sample_run, sample_target
from rich.console import Console

from clients.model.evidence import Evidence, Grade, Verdict
from clients.model.known import EMBEDDED, Advisory, KnownFailure
from reports import html, known
from reports.diff import compare
from reports.formats import allure, junit, markdown, terminal
from reports.headline import headline, tone
from reports.record import conformance
from reports.record.model import Report
from tests.report_parts import unfolded

pytestmark = pytest.mark.unit

ENTRY = KnownFailure(
    "A-*", "mesh team", "https://tracker.example.com/17", "2026-12-31", reason="old nodes", origin="meshproof.toml"
)


def case(key: str, verdict: str = "pass", entry: KnownFailure | None = None, **rest: Any) -> Evidence:
    grade = Grade.FULL if verdict == "pass" else None
    return a_case(
        id=key,
        control=key,
        verdict=Verdict(verdict),
        grade=grade,
        reason="" if grade else f"why {key}",
        known=entry,
        **rest,
    )


def report(*cases: Evidence, entries: tuple[KnownFailure, ...] = (ENTRY,)) -> Report:
    return Report(replace(sample_run(), known_failures=entries), sample_target(), cases)


KNOWN = report(case("A-1", "fail", ENTRY), case("B-1"))


def test_a_known_failure_fails_neither_the_run_nor_its_colour() -> None:
    assert KNOWN.ok
    assert tone(KNOWN) == "pass"
    assert {"pass": 1, "fail": 1, "known": 1}.items() <= KNOWN.totals.items()
    assert headline(KNOWN) == (
        "Conforms but for 1 known failure (A-1): 1 of 2 cases proven on the embedded cluster (istio 1.29.1)"
    )


def test_the_headline_says_whose_failures_they_are() -> None:
    own = replace(ENTRY, origin=EMBEDDED)
    made = report(case("A-1", "fail", own), case("A-2", "fail", own), case("B-1"))
    assert headline(made).startswith("Conforms but for 2 known failures of the embedded mesh (A-1, A-2): 1 of 3 cases")


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_any_other_failure_fails_the_run(verdict: str) -> None:
    made = report(case("A-1", "fail", ENTRY), case("B-1"), case("B-2", verdict))
    assert not made.ok
    assert tone(made) == verdict
    assert "1 known failure (A-1)" in headline(made)
    if verdict == "fail":
        assert headline(made).startswith("Does not conform: 1 case failed, 1 of 3 cases proven")


def test_known_failures_alone_prove_nothing() -> None:
    assert not report(case("A-1", "fail", ENTRY)).ok


@pytest.mark.parametrize(
    ("cases", "line"),
    [
        ((case("A-1"), case("A-2", "skip")), "A-1 passed: remove the known failure A-* (meshproof.toml)"),
        (
            (case("A-1"), case("A-2", "fail", ENTRY)),
            "the known failure A-* (meshproof.toml) also names what passed: A-1; name only what fails",
        ),
        ((case("A-1", "fail", ENTRY),), None),
        ((case("A-1", "skip"),), None),
        ((case("A-1", "inconclusive"),), None),
        ((case("B-1"),), None),
    ],
)
def test_what_passes_is_to_be_taken_out(cases: tuple[Evidence, ...], line: str | None) -> None:
    assert known.advice(report(*cases)) == ((line,) if line else ())


def test_an_entry_for_another_mesh_asks_for_nothing() -> None:
    elsewhere = replace(ENTRY, mesh="1.31", until="2020-01-01")
    assert known.advice(report(case("A-1"), entries=(elsewhere,))) == ()
    assert known.expired(report(case("A-1"), entries=(elsewhere,))) == ()


def test_an_expired_entry_is_told_where_it_is_about_a_case_of_the_run() -> None:
    old = replace(ENTRY, until="2026-11-21")
    made = report(case("A-1"), entries=(old,))
    assert known.expired(made) == (old,)
    [line] = known.advice(made)
    assert line.startswith("the known failure A-* (meshproof.toml) expired on 2026-11-21 and excuses nothing")
    assert "1 expired entry of known failures" in headline(made)
    assert known.expired(report(case("B-1"), entries=(old,))) == ()
    assert known.expired(replace(report(case("B-1"), entries=(old,)), not_run=("A-2",))) == (old,)


def test_the_terminal_lists_them_apart() -> None:
    console = Console(file=StringIO(), width=160)
    terminal.print_summary(console, KNOWN, Path("index.html"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "⊗ known failure  A-1" in shown
    assert "until 2026-12-31, mesh team, https://tracker.example.com/17: old nodes" in shown
    assert "✕ fail" not in shown


def test_junit_skips_them_with_a_type_of_their_own() -> None:
    suites = JUnitXml.fromstring(junit.render(KNOWN).encode())
    assert (suites.failures, suites.errors, suites.skipped) == (0, 0, 1)
    text = junit.render(KNOWN)
    assert 'type="known failure"' in text
    assert "until 2026-12-31, mesh team, https://tracker.example.com/17: old nodes; why A-1" in text
    assert '<property name="known" value="1"' in text


def test_the_summary_counts_and_lists_them_apart() -> None:
    text = markdown.render(KNOWN)
    assert "| ⊗ known failure |" in text
    assert "**Known failures (1):**\n\n- A-1: why A-1 (known until 2026-12-31, mesh team" in text
    assert "<details open>" not in text


def test_the_page_counts_and_lists_them_apart() -> None:
    page = unfolded(html.render(KNOWN))
    assert "<h3>Known failures</h3>" in page
    assert 'href="https://tracker.example.com/17"' in page
    assert "What is not proven" not in page
    assert "<b>1</b> known failures" in page
    assert "<b>0</b> failed" in page
    assert "<h3>Known failures</h3>" not in unfolded(html.render(report(case("B-1"))))


def test_the_page_links_to_nothing_but_the_web() -> None:
    bad = replace(ENTRY, link="javascript:alert(1)")
    advisory = Advisory("CVE-1", "javascript:alert(2)", ("1.2",))
    page = unfolded(html.render(report(case("A-1", "fail", bad, advisory=advisory), case("B-1"))))
    assert 'href="javascript' not in page
    assert "CVE-1" in page


def test_allure_knows_the_issue(tmp_path: Path) -> None:
    allure.write(KNOWN, tmp_path)
    results = [json.loads(path.read_text()) for path in tmp_path.glob("*-result.json")]
    [found] = [one for one in results if one["fullName"] == "A-1"]
    assert found["status"] == "failed"
    assert found["statusDetails"]["known"] is True
    assert [(one["type"], one["url"]) for one in found["links"]] == [("issue", "https://tracker.example.com/17")]
    [other] = [one for one in results if one["fullName"] == "B-1"]
    assert "known" not in other.get("statusDetails", {})


def test_the_record_keeps_the_verdict_and_the_entry(tmp_path: Path) -> None:
    conformance.save(KNOWN, tmp_path / "conformance.json")
    data = json.loads((tmp_path / "conformance.json").read_text())
    [first, _] = data["cases"]
    assert first["verdict"] == "fail"
    assert {"owner": "mesh team", "until": "2026-12-31"}.items() <= first["known"].items()
    assert data["totals"]["known"] == 1
    assert conformance.load(tmp_path).cases == KNOWN.cases


@pytest.mark.parametrize(
    ("before", "after", "heading", "code"),
    [
        (case("A-1"), case("A-1", "fail", ENTRY), "known", 0),
        (case("A-1", "fail"), case("A-1", "fail", ENTRY), "known", 0),
        (None, case("A-1", "fail", ENTRY), "added", 0),
        (case("A-1", "fail", ENTRY), case("A-1", "fail"), "still_failing", 0),
        (case("A-1", "fail", ENTRY), case("A-1"), "fixed", 0),
        (case("A-1"), case("A-1", "fail"), "regressed", 1),
    ],
)
def test_a_difference_tells_them_apart(before: Evidence | None, after: Evidence, heading: str, code: int) -> None:
    difference = compare(report(*filter(None, [before])), report(after))
    [change] = getattr(difference, heading)
    assert change.id == "A-1"
    assert difference.exit_code == code
    if after.known:
        assert "known failure" in change.text
        assert "mesh team" in change.text
