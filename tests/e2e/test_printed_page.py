"""`report --pdf` by the testbed's own browser. Needs no cluster, and no other browser in its process."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_samples import sample_report

from clients.probe import browser
from reports.html import render
from runner.commands.report import print_page

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """In place of the check of the cluster (`conftest.py`): this test needs none."""


def test_the_testbed_s_own_browser_prints_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees no file of this machine but those that it is to open."""
    monkeypatch.setattr(browser, "installed", lambda: "")
    page = tmp_path / "index.html"
    page.write_text(render(sample_report()), encoding="utf-8")
    assert print_page(page).read_bytes().startswith(b"%PDF-")
