"""axe-core finds nothing in any page, in both themes and on a phone, with everything opened, and each fits its window.

Needs no cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sample_pages import PAGES

from clients.probe.browser import Browser
from reports.html.frame import TEMPLATES

pytestmark = pytest.mark.e2e

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
BUILT = "html[data-built]"
CLOSED = "details:not([open]):visible > summary"


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """In place of the check of the cluster (`conftest.py`): these tests need none."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in PAGES.items()}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.window("meshproof tests") as window:
        yield window.page


def test_every_page_of_the_product_is_among_them() -> None:
    whole = {file.name.partition(".")[0] for file in TEMPLATES.glob("*.html.j2") if "<!doctype" in file.read_text()}
    assert set(PAGES) == whole


def found(page: Page) -> list[str]:
    """What axe-core finds, a line for each element; its rules of good practice are among them."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]} {node.get('failureSummary', '')}"
        for one in violations
        for node in one["nodes"]
    ]


def open_all(page: Page) -> None:
    """Open whatever can be opened, also what only then is built."""
    for _ in range(10):
        if not page.locator(CLOSED).count():
            return
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_timeout(200)
    raise AssertionError("something stays closed")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_window(page: Page, written: dict[str, Path], name: str, size: str) -> None:
    """However long an id or a reason is: what is wide scrolls within itself. Nor is a column of letters."""
    page.set_viewport_size(SIZES[size])
    page.goto(written[name].as_uri())
    if name == "report":
        page.wait_for_selector(BUILT, state="attached")
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    narrow = """[...document.querySelectorAll('td, th')].filter((one) =>
        one.textContent.trim().length > 30 && one.clientWidth > 0 && one.clientWidth < 90
        && getComputedStyle(one).writingMode === 'horizontal-tb').map((one) => one.outerHTML.slice(0, 200))"""
    assert page.evaluate(narrow) == []


def test_a_search_counts_what_it_shows(page: Page, written: dict[str, Path]) -> None:
    """Each cluster has a row in two tables."""
    page.goto(written["fleet"].as_uri())
    page.fill("#search", "live good")
    assert page.inner_text("#count") == "1 of 3 clusters shown"
    page.goto(written["history"].as_uri())
    page.fill("#search", "a-1")
    assert page.inner_text("#count") == "2 of 16 controls shown"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_found(page: Page, written: dict[str, Path], name: str, scheme: str, size: str) -> None:
    page.set_viewport_size(SIZES[size])
    page.emulate_media(color_scheme=scheme)
    page.goto(written[name].as_uri())
    if name == "report":
        page.wait_for_selector(BUILT, state="attached")
    assert found(page) == []
    open_all(page)
    assert found(page) == []
    if page.locator("#search").count():
        page.fill("#search", "a")
        assert found(page) == []
