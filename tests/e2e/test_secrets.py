"""The front door and IAP, whole: no token is in any artefact, and one that were there would be found."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from e2e_runs import EndedRun, conform, controls

from tests import report_parts

pytestmark = pytest.mark.e2e

ARTEFACTS = {"conformance.json", "index.html", "journal.ndjson.gz", "junit.xml", "summary.md", "target.json"}
BROWSED = {"CRA-UI-01", "CRA-UI-02", "CRA-UI-03", "CRA-AUTH-04"}


@pytest.fixture(scope="module")
def whole(testbed: object, tmp_path_factory: pytest.TempPathFactory) -> EndedRun:
    """Both suites by two workers."""
    return conform(tmp_path_factory.mktemp("doors"), "suites/iap", "-n", "2", suite="suites/front")


def test_both_suites_conform_with_the_browser(whole: EndedRun) -> None:
    assert whole.code == 0, whole.output[-6000:]
    assert set(whole.verdicts.values()) <= {"pass", "skip", "known"}
    passed = {case["control"] for case in whole.report["cases"] if case["verdict"] == "pass"}
    assert passed >= BROWSED
    assert len(passed) > 60


def test_no_artefact_holds_a_token(whole: EndedRun) -> None:
    names = {path.name for path in whole.files}
    assert names >= ARTEFACTS
    assert any(path.parent.name == "screenshots" for path in whole.files)
    assert any(path.parent.name == "allure-results" for path in whole.files)
    assert whole.secrets() == []
    assert whole.left == []


def test_the_page_holds_every_picture_that_the_evidence_names(whole: EndedRun) -> None:
    assert whole.folder
    pictures = [picture for case in whole.report["cases"] for picture in case["pictures"]]
    assert {case["control"] for case in whole.report["cases"] if case["pictures"]} >= BROWSED
    for picture in pictures:
        png = (whole.folder / picture["file"]).read_bytes()
        assert hashlib.sha256(png).hexdigest() == picture["sha256"]
        assert png.startswith(b"\x89PNG")
        assert picture["text"]
    page = report_parts.unfolded((whole.folder / "index.html").read_text(encoding="utf-8"))
    assert page.count('src="data:image/png;base64,') == len(pictures)
    assert "The picture is not in this page" not in page
    attached = list((whole.folder / "allure-results").glob("*.png"))
    assert len(attached) == len(pictures)


def test_a_token_that_is_revealed_is_found(testbed: object, tmp_path: Path) -> None:
    """The same search over a run whose redaction sees nothing, and whose gateway logs tokens in addresses."""
    blind = ("-p", "tests.mutants.plugin", "--mutant", "redaction-blind", *controls("X-DOOR-TOKEN-01"))
    files = {Path(line.rpartition(" ")[2]).name for line in conform(tmp_path, *blind, suite="suites/front").secrets()}
    assert files >= {"conformance.json", "index.html", "journal.ndjson.gz"}
    assert any(name.endswith("-result.json") for name in files)


def test_no_picture_is_kept_of_a_page_that_shows_a_token(testbed: object, tmp_path: Path) -> None:
    shown = ("-p", "tests.mutants.plugin", "--mutant", "page-shows-token", *controls("CRA-UI-02"), "--budget", "4")
    ran = conform(tmp_path, *shown, suite="suites/front")
    assert ran.verdicts == {"CRA-UI-02": "inconclusive"}
    assert "no picture of it may be kept" in ran.cases["CRA-UI-02"]["reason"]
    assert not [path for path in ran.files if path.suffix == ".png"]
    assert any("diagnostics" in path.parts for path in ran.files)
    assert ran.secrets() == []
