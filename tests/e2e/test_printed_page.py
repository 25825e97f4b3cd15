"""`report --pdf` by the testbed's own browser. Needs no cluster, and no other browser in its process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import a_case, sample_report

from clients.model.evidence import Applied, Evidence, Grade, Verdict
from clients.probe import browser
from clients.probe.browser import Browser
from reports.html import render
from reports.record.model import Report
from runner.commands.report import footer, print_page
from testbed import api

pytestmark = pytest.mark.e2e

OBJECT = Applied("a.yaml", "Service", "ns", "web", "kind: Service\n" + "  a: 1\n" * 40)


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """In place of the check of the cluster (`conftest.py`): this test needs none."""


def report() -> Report:
    """Cases of every verdict with long ids, a table of many columns, and an object that two of them share."""
    bad: list[Evidence] = [
        a_case(id="X-1[a variant with a long name]", verdict=Verdict.FAIL, grade=None, reason="no", applied=(OBJECT,)),
        a_case(id="X-2", grade=Grade.REDUCED, applied=(OBJECT,)),
    ]
    row = [a_case(id=f"X-3[{n}]", source="a/b", destination=f"web-{n}.a-namespace", stage="s") for n in range(6)]
    sample = sample_report()
    return replace(sample, cases=(*sample.cases, *bad, *row), not_run=())


def test_the_testbed_s_own_browser_prints_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees no file of this machine but those that it is to open."""
    monkeypatch.setattr(browser, "installed", lambda: "")
    page = tmp_path / "index.html"
    page.write_text(render(sample_report()), encoding="utf-8")
    assert print_page(page, sample_report().run).read_bytes().startswith(b"%PDF-")


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[browser.Page]:
    """The page as it is printed."""
    page = tmp_path / "index.html"
    page.write_text(render(report()), encoding="utf-8")
    with Browser(str(api.make_browser()), {}, [tmp_path]) as started, started.window("test") as window:
        window.page.set_viewport_size({"width": 695, "height": 1000})  # A4 between its margins
        window.page.emulate_media(media="print")
        window.page.goto(page.as_uri())
        window.page.wait_for_selector("html[data-built]", state="attached")
        window.page.evaluate("window.meshproof.ready()")
        opened = "details:not(.case), .case:has(.body:not(:empty))"
        window.page.evaluate(f"document.querySelectorAll('{opened}').forEach((one) => {{ one.open = true; }})")
        yield window.page


def test_nothing_on_a_sheet_covers_or_leaves_anything(paper: browser.Page) -> None:
    over = """[...document.querySelectorAll('.case > summary > *, .cell .top > *')].filter((one) =>
        one.clientWidth && one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML)"""
    assert paper.evaluate(over) == []
    outside = """[...document.querySelectorAll('main *, #tables .scroll:not(.wide) *, #summary *')].filter((one) =>
        one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 200))"""
    assert paper.evaluate(outside) == []


def test_a_heading_stays_with_what_follows_and_no_large_row_moves_to_the_next_sheet(paper: browser.Page) -> None:
    style = "(selector) => getComputedStyle(document.querySelector(selector))"
    for selector in ("h2", "h4", ".lead", ".fold > summary", ".table > summary", ".case:has(.halves) > summary"):
        assert paper.evaluate(f"({style})('{selector}').breakAfter") == "avoid", selector
    assert paper.evaluate(f"({style})('.case:has(> .body:empty) > summary').breakAfter") == "auto", "or none could stay"
    for selector in (".matrix tr", ".fold > pre"):
        assert paper.evaluate(f"({style})('{selector}').breakInside") == "auto", selector


def test_evidence_is_printed_once_and_what_is_left_out_is_said(paper: browser.Page) -> None:
    applied = paper.evaluate("[...document.querySelectorAll('.fold > pre')].map((one) => one.textContent)")
    assert len(applied) == len(set(applied))
    notes = paper.locator(".fold > p.quiet").all_text_contents()
    assert "the same as for X-1[a variant with a long name]" in notes
    assert paper.locator(".paper").is_visible()
    assert report().run.id in paper.locator(".about").inner_text()


def test_a_table_of_many_columns_is_printed_across_with_its_heading(paper: browser.Page) -> None:
    assert paper.evaluate("getComputedStyle(document.querySelector('.table:has(.wide)')).page") == "across"


def test_each_sheet_has_the_run_and_its_number() -> None:
    text = footer(replace(report().run, id="<b>"))
    assert "run &lt;b&gt;, 2026-11-22 16:13:05 UTC" in text
    assert 'class="pageNumber"' in text
