"""Diagnostics after a run: compressed, and readable by a person."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from report_samples import a_case, sample_report

from reports import files, html
from reports.html import diagnostics
from reports.record.model import ReportError
from reports.write import write_reports
from tests.report_parts import parts, unfolded

pytestmark = pytest.mark.unit

HOSTILE = "</template><script>alert(1)</script>"
FILES = {
    "policies.yaml": f"# {HOSTILE}\n", "log-ns-pod-istio-proxy.txt": "a line\n", "config-ns-pod.json": '{"a": 1}\n',
    "errors.txt": "pods.yaml: forbidden\n",
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run with one folder of diagnostics."""
    place = tmp_path / "run" / "diagnostics" / "strict-gw0"
    place.mkdir(parents=True)
    for name, text in FILES.items():
        (place / name).write_text(text)
    return tmp_path / "run"


def _contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_every_file_is_compressed_and_what_people_read_is_in_the_page(run: Path) -> None:
    diagnostics.write(run)
    found = _contents(run / "diagnostics/strict-gw0")
    page = found.pop("index.html").decode()
    assert {name: gzip.decompress(data).decode() for name, data in found.items()} == {
        f"{name}.gz": text for name, text in FILES.items()
    }
    assert list(parts(page).values()) == [FILES["errors.txt"], FILES["policies.yaml"], FILES[
        "log-ns-pod-istio-proxy.txt"
    ]]  # fmt: skip
    assert all(f'href="{name}.gz"' in page for name in FILES)
    assert HOSTILE not in page


def test_writing_them_again_changes_nothing(run: Path) -> None:
    diagnostics.write(run)
    before = _contents(run / "diagnostics/strict-gw0")
    diagnostics.write(run)
    assert _contents(run / "diagnostics/strict-gw0") == before


def test_a_case_leads_to_the_page_where_there_is_one(run: Path) -> None:
    report = sample_report()
    case = a_case(diagnostics="diagnostics/strict-gw0")
    report = type(report)(report.run, report.target, (case,))
    assert 'href="diagnostics/strict-gw0"' in unfolded(html.render(report, run))
    diagnostics.write(run)
    assert 'href="diagnostics/strict-gw0/index.html"' in unfolded(html.render(report, run))


@pytest.mark.parametrize("where", ["x" * 5000, "a\0b", "\ud83d"], ids=["long", "zero", "half a pair"])
def test_a_place_that_no_file_can_have_is_no_error(run: Path, where: str) -> None:
    assert diagnostics.link(run, where) == where


def test_what_does_not_fit_is_kept_and_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    before = _contents(run / "diagnostics/strict-gw0")
    monkeypatch.setattr(files, "whole", full)
    with pytest.raises(ReportError, match=r"diagnostics, .*No space left on device"):
        write_reports(sample_report(), run, finished=run / "journal.ndjson")
    assert _contents(run / "diagnostics/strict-gw0") == before
