"""A report folder that is full or read-only: one line, exit code 2, what was written is kept."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest
from inner_pytest import Inner, suite
from test_runner_run import CONDUCT, report_of

from clients.mesh.discovery import MeshInfo
from reports.record import journal
from reports.record.journal import Journal, read
from reports.record.model import MeshRecord, ReportError, RunInfo, TargetInfo
from runner.target.descriptor import TargetDescriptor

pytestmark = pytest.mark.unit
FULL = "No space left on device"
CASES = {
    "one": suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'slow')", "case('LAB-PERM-03', 'slow')")
}


def conduct(inner: Inner, *words: str, room: int, reports: str = "full", record: str = "") -> tuple[int, str]:
    path = os.pathsep.join(map(str, (Path(__file__).parents[4], Path(__file__).parents[2])))
    environment = {**os.environ, "PYTHONPATH": path, "FAKE_TRACE": str(inner.trace), "FAKE_ROOM": str(room)}
    environment |= {"FAKE_REPORTS": reports, "FAKE_RECORD": record}
    place = ["--rootdir", str(inner.root), "-c", str(inner.root / "pytest.ini"), str(inner.root / "suites")]
    code = (
        "import sys; from clients.model.errors import MeshproofError\n"
        f"try:\n  {CONDUCT.replace('import sys; ', 'import full_disk; ')}\n"
        "except MeshproofError as error:\n  print(f'meshproof: {error}'); sys.exit(2)"
    )
    command = [sys.executable, "-c", code, str(inner.folder), "-p", "full_disk", *words, *place]
    with Popen(command, env=environment, text=True, stdout=PIPE, stderr=STDOUT) as process:
        output, _ = process.communicate(timeout=120)
    return process.returncode, output


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
@pytest.mark.parametrize("room", [0, 300, 4000])
def test_a_full_disk_is_one_line_and_exit_2(inner: Inner, words: tuple[str, ...], room: int) -> None:
    inner.write(**CASES)
    code, output = conduct(inner, *words, room=room)
    assert code == 2, output
    assert [FULL in line for line in output.splitlines()].count(True) == 1, output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    kept = read(inner.folder / "journal.ndjson")
    assert bool(kept.run) == (room == 4000)
    entered = [
        line for line in (inner.trace.read_text().splitlines() if inner.trace.exists() else []) if "enter" in line
    ]
    left = [line for line in (inner.trace.read_text().splitlines() if inner.trace.exists() else []) if "exit" in line]
    assert len(entered) == len(left), "what was set up is cleaned up"


def test_what_fits_is_kept_and_reported(inner: Inner) -> None:
    inner.write(**CASES)
    code, output = conduct(inner, room=6500, reports="fit")
    assert code == 2, output
    assert output.count(FULL) == 1, output
    report = report_of(inner)
    assert report["run"]["interrupted"] == "a report that could not be written"
    assert report["cases"]
    assert len(report["cases"]) + len(report["not_run"]) == 3, "the others are named"
    assert report["not_run"]


def test_reports_that_do_not_fit_at_the_end(inner: Inner) -> None:
    inner.write(**CASES)
    code, output = conduct(inner, room=10_000_000)
    assert code == 2, output
    assert output.count(FULL) == 1, output
    assert "conformance.json, index.html, junit.xml, summary.md" in output
    assert len(read(inner.folder / "journal.ndjson").cases) == 3


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_a_record_of_the_target_that_does_not_fit(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(**CASES)
    code, output = conduct(inner, *words, room=6000, record="written")
    assert code == 2, output
    lines = [line for line in output.splitlines() if FULL in line]
    assert len(lines) == 1, output
    assert "target.json" in lines[0], output
    assert "damaged" not in output


def test_bare_pytest_too(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    inner.write(**CASES)
    monkeypatch.setattr(Journal, "_write", full)
    ran = inner.run(own_reports=True)
    assert ran.code == 2
    assert "INTERNALERROR" not in ran.output
    assert FULL in ran.output


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_the_error_names_the_folder_and_the_cause(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(journal.os, "open", refuse)
    with pytest.raises(ReportError) as caught:
        Journal(tmp_path / "journal.ndjson").run(RunInfo("r1", "now", "meshproof run"))
    assert str(tmp_path) in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_record_of_the_target(tmp_path: Path) -> None:
    descriptor = TargetDescriptor(TargetInfo("embedded", "1.34", MeshRecord("istio", "1.31", "")), MeshInfo("istio"))
    (tmp_path / "file").touch()
    with pytest.raises(ReportError, match="cannot be written to"):
        descriptor.save(tmp_path / "file" / "target.json")


def test_a_record_that_does_not_fit_is_not_left_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    descriptor = TargetDescriptor(TargetInfo("embedded", "1.34", MeshRecord("istio", "1.31", "")), MeshInfo("istio"))
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ReportError, match=FULL):
        descriptor.save(tmp_path / "target.json")
    assert list(tmp_path.iterdir()) == []
