"""The page in a browser: built when opened, found by search, filters and keys. Needs no cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page
from report_samples import a_case, sample_report

from clients.model.evidence import Verdict
from clients.probe.browser import Browser
from reports.html import render
from reports.record.model import Report

pytestmark = pytest.mark.e2e

BUILT = "html[data-built]"


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """In place of the check of the cluster (`conftest.py`): these tests need none."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.window("meshproof tests") as window:
        errors: list[str] = []
        window.page.on("pageerror", lambda error: errors.append(str(error)))
        yield window.page
        assert errors == []


def show(page: Page, report: Report, folder: Path, query: str = "") -> None:
    file = folder / "index.html"
    file.write_text(render(report), encoding="utf-8")
    page.goto(file.as_uri() + query)
    page.wait_for_selector(BUILT, state="attached")


def shown(page: Page) -> list[str]:
    return [row.get_attribute("id") or "" for row in page.locator(".case").all() if row.is_visible()]


def test_search_covers_rows_and_cells_and_filters_are_in_the_address(page: Page, tmp_path: Path) -> None:
    show(page, sample_report(), tmp_path)
    assert len(shown(page)) == 39
    page.fill("#search", "strict-mtls-service")
    assert set(shown(page)) == {"LAB-NSMTLS-03", "LAB-NSMTLS-04", "LAB-NSMTLS-05"}
    cells = [cell for cell in page.locator("a.cell").all() if cell.is_visible()]
    assert {cell.locator(".name").inner_text() for cell in cells} == set(shown(page))
    page.select_option('[data-filter="polarity"]', "allow")
    assert set(shown(page)) == {"LAB-NSMTLS-04", "LAB-NSMTLS-05"}
    assert page.inner_text("#count") == "2 of 39 cases shown"
    address = page.url
    assert "q=strict-mtls-service" in address
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(BUILT, state="attached")
    assert set(shown(page)) == {"LAB-NSMTLS-04", "LAB-NSMTLS-05"}
    page.fill("#search", "")
    page.select_option('[data-filter="polarity"]', "")
    page.check('[data-filter="flapped"]')
    flapped = [case for case in sample_report().cases if case.flaps]
    assert len(shown(page)) == len(flapped) > 1
    assert {row.removesuffix(".") for row in shown(page)} >= {case.id for case in flapped if "[" not in case.id}


@pytest.mark.parametrize("place", ["#%", "#100%25%", "#no-such-case"])
def test_a_place_that_is_none_costs_no_page(page: Page, tmp_path: Path, place: str) -> None:
    show(page, sample_report(), tmp_path, place)
    assert len(shown(page)) == 39
    page.fill("#search", "strict-mtls-service")
    assert len(shown(page)) == 3


def test_keys_lead_from_failure_to_failure(page: Page, tmp_path: Path) -> None:
    show(page, sample_report(), tmp_path)
    bad = [case.id for case in sample_report().cases if case.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)]
    found = []
    for _ in range(len(bad) + 1):
        before = page.url
        page.keyboard.press("n")
        moved = (page.wait_for_timeout(50) or page.url != before for _ in range(200))
        assert any(moved), before
        found.append(page.url.partition("#")[2])
    assert found[0] == found[-1]
    assert set(found) == set(bad)
    page.locator(f"#{found[0]} button.copy").last.click()
    page.wait_for_selector("button.copy:text('Copied')")


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_what_a_key_leads_to_is_not_under_the_bar(page: Page, tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    show(page, sample_report(), tmp_path)
    page.keyboard.press("n")
    page.wait_for_selector(".case:target", state="attached")
    page.wait_for_timeout(300)
    bar, row = page.locator(".tools").bounding_box(), page.locator(".case:target > summary").bounding_box()
    assert bar
    assert row
    assert max(0, bar["y"] + bar["height"]) <= row["y"] < 700


def test_of_five_thousand_cases_only_the_asked_for_is_built(page: Page, tmp_path: Path) -> None:
    few = a_case().attempts[:4]
    cases = tuple(
        a_case(id=f"X-{n}[v]", control=f"X-{n}", stage=f"stage {n // 100}", attempts=few) for n in range(5000)
    )
    show(page, replace(sample_report(), cases=cases, not_run=()), tmp_path, "#X-4321")
    assert page.evaluate("document.querySelectorAll('*').length") < 12_000
    row = page.locator('[id="X-4321.v."], [id="X-4321.v"]')
    assert row.is_visible()
    assert "Why this is believed" in row.inner_text()
    assert page.locator(".case").count() == 100


def test_paper_has_every_row(page: Page, tmp_path: Path) -> None:
    show(page, sample_report(), tmp_path)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false; })")
    page.emulate_media(media="print")
    page.evaluate("window.meshproof.ready()")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(shown(page)) == 39
