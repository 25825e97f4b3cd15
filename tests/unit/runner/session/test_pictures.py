"""Pictures of what a person saw: kept with a digest, shown in the page, attached elsewhere, and never of a secret."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jwt
import pytest
from report_samples import a_case, sample_report

from clients.model.errors import InfrastructureError
from clients.model.evidence import Evidence, Picture
from clients.probe.browser import Shot, Window, shot
from reports.formats import junit
from reports.html import render
from reports.pictures import LIMIT_BYTES
from reports.record import conformance
from reports.record.model import EVIDENCE, Report
from reports.write import write_reports
from runner.session import pictures
from tests.report_parts import unfolded

pytestmark = pytest.mark.unit

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x03\x20\x00\x00\x01\x68 and so on"
TOKEN = jwt.encode({"sub": "someone", "n": "x" * 40}, "secret" * 8, algorithm="HS256")


class FakePage:
    def __init__(self, text: str) -> None:
        self.text = text

    def evaluate(self, _: str) -> str:
        return self.text

    def screenshot(self, *, full_page: bool) -> bytes:
        assert full_page
        return PNG


def taken(text: str) -> Shot:
    return shot(Window(cast("Any", FakePage(text))))


def other(text: str) -> Shot:
    """A picture of its own."""
    return replace(taken(text), png=PNG + text.encode())


@pytest.fixture
def item() -> pytest.Item:
    return cast("pytest.Item", SimpleNamespace(stash=pytest.Stash()))


@pytest.fixture
def kept(item: pytest.Item, tmp_path: Path) -> Evidence:
    """A case with a picture, whose file is in the folder."""
    pictures.keep(item, tmp_path, "CRA-UI-03[wrong password]", taken("Sign in <b>"), "at the end")
    return pictures.added(item, [a_case()])[0]


def report_of(case: Evidence) -> Report:
    return replace(sample_report(), cases=(case,), recorded={})


def test_a_picture_has_its_size_and_its_text() -> None:
    seen = taken("hello")
    assert (seen.width, seen.height, seen.text, seen.png) == (800, 360, "hello", PNG)


@pytest.mark.parametrize("text", [f"your token: {TOKEN}", "Authorization: Bearer abc"])
def test_there_is_no_picture_of_a_secret(text: str) -> None:
    with pytest.raises(InfrastructureError, match="no picture of it may be kept") as error:
        taken(text)
    assert TOKEN not in str(error.value)


def test_it_is_kept_in_the_runs_folder_under_the_cases_name(kept: Evidence, tmp_path: Path) -> None:
    [picture] = kept.pictures
    assert picture.file == "screenshots/CRA-UI-03-wrong-password-at-the-end.png"
    assert (tmp_path / picture.file).read_bytes() == PNG
    assert picture.sha256 == hashlib.sha256(PNG).hexdigest()
    assert EVIDENCE.validate_json(EVIDENCE.dump_json(kept)) == kept


def test_a_second_look_replaces_the_first(item: pytest.Item, tmp_path: Path) -> None:
    for text in ("too early", "there"):
        pictures.keep(item, tmp_path, "A-1", other(text), "signed in")
    pictures.keep(item, tmp_path, "A-1", other("refused"), "at the end")
    first, second = pictures.added(item, [a_case(), a_case()])
    seen = [(picture.title, picture.text) for picture in first.pictures]
    assert seen == [("signed in", "there"), ("at the end", "refused")]
    assert second.pictures == ()


def test_what_has_not_changed_is_kept_once(item: pytest.Item, tmp_path: Path) -> None:
    for title in ("signed in", "at the end"):
        pictures.keep(item, tmp_path, "A-1", taken("there"), title)
    assert [picture.title for picture in pictures.added(item, [a_case()])[0].pictures] == ["signed in"]
    assert len(list((tmp_path / "screenshots").iterdir())) == 1


def test_the_page_holds_it_and_needs_no_other_file(kept: Evidence, tmp_path: Path) -> None:
    page = unfolded(render(report_of(kept), tmp_path))
    assert f'src="data:image/png;base64,{b64encode(PNG).decode()}"' in page
    assert "It shows: Sign in &lt;b&gt;" in page
    assert kept.pictures[0].sha256 in page
    assert "img-src data:" in page


def _changed(picture: Picture, folder: Path) -> Picture:
    (folder / picture.file).write_bytes(PNG + b"!")
    return picture


def _gone(picture: Picture, folder: Path) -> Picture:
    (folder / picture.file).unlink()
    return picture


def _elsewhere(picture: Picture, folder: Path) -> Picture:
    (folder.parent / "other.png").write_bytes(PNG)
    return replace(picture, file="../other.png")


def _too_large(picture: Picture, folder: Path) -> Picture:
    data = PNG + bytes(LIMIT_BYTES)
    (folder / picture.file).write_bytes(data)
    return replace(picture, sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("spoil", [_changed, _gone, _elsewhere, _too_large])
def test_what_is_not_the_picture_that_was_taken_is_not_shown_but_reported(
    kept: Evidence, tmp_path: Path, spoil: Any
) -> None:
    folder = tmp_path
    case = replace(kept, pictures=(spoil(kept.pictures[0], folder),))
    page = unfolded(render(report_of(case), folder))
    assert "data:image/png" not in page
    assert "The picture is not in this page" in page
    assert "It showed: Sign in" in page


def test_every_report_has_it(kept: Evidence, tmp_path: Path) -> None:
    report = report_of(kept)
    write_reports(report, tmp_path)
    recorded = json.loads((tmp_path / "conformance.json").read_text())["cases"][0]["pictures"]
    assert recorded == [EVIDENCE.dump_python(kept, mode="json")["pictures"][0]]
    assert conformance.load(tmp_path).cases == (kept,)
    [result] = [json.loads(path.read_text()) for path in (tmp_path / "allure-results").glob("*-result.json")]
    [attached] = [one for one in result["attachments"] if one["type"] == "image/png"]
    assert (tmp_path / "allure-results" / attached["source"]).read_bytes() == PNG
    assert attached["name"] == "what the browser showed at the end"
    assert kept.pictures[0].file in junit.render(report)


def test_reports_of_earlier_runs_have_none() -> None:
    old = {key: value for key, value in EVIDENCE.dump_python(a_case(), mode="json").items() if key != "pictures"}
    assert EVIDENCE.validate_python(old).pictures == ()
