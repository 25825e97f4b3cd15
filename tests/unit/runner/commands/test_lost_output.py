"""Output that nothing reads any more, or that a full disk does not take: all is done, and the exit code is right."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from inner_pytest import Inner, suite
from report_samples import a_case, sample_report
from test_runner_run import CONDUCT, report_of

from clients.model.evidence import Verdict
from reports.record import conformance

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[4]
FULL = "meshproof: the output could not be written: No space left on device; make room there\n"
RUN = CONDUCT.replace(
    "sys.exit(", "from runner import lost_output; lost_output.tolerate(); sys.exit(lost_output.settled("
)
CASES = {"one": suite("one", *(f"case('LAB-PERM-0{number}', 'pass')" for number in (1, 2, 3)))}


def ended(
    command: list[str], reader: str, variables: dict[str, str] | None = None, *, joined: bool = False
) -> tuple[int, str]:
    """Exit code and standard error of a process of which the output is lost, and with it the errors where `joined`."""
    reading, writing = os.pipe()
    os.close(reading)
    if reader == "full":
        os.close(writing)
        writing = os.open("/dev/full", os.O_WRONLY)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'unit'}", **(variables or {})}
    errors = subprocess.STDOUT if joined else subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=writing, stderr=errors, text=True) as process:
        os.close(writing)
        _, printed = process.communicate(timeout=300)
    return process.returncode, printed or ""


def kept(folder: Path, verdict: Verdict) -> Path:
    report = sample_report()
    case = replace(a_case(), verdict=verdict, grade=a_case().grade if verdict is Verdict.PASS else None)
    report = replace(report, run=replace(report.run, id=folder.name), cases=(case,), not_run=())
    conformance.save(report, folder / conformance.FILE)
    return folder


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_comparison_whose_reader_has_gone(unbuffered: str, tmp_path: Path) -> None:
    good, bad = kept(tmp_path / "good", Verdict.PASS), kept(tmp_path / "bad", Verdict.FAIL)
    same = kept(tmp_path / "same", Verdict.PASS)
    page, verb = tmp_path / "diff.html", [sys.executable, "-m", "runner", "diff"]
    variables = {"PYTHONUNBUFFERED": unbuffered}
    assert ended([*verb, str(good), str(same), "--output", str(page)], "gone", variables) == (0, "")
    assert page.is_file()
    assert ended([*verb, str(good), str(bad)], "gone", variables) == (1, "")
    assert ended([*verb, str(good), "nowhere"], "gone", variables, joined=True) == (2, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_not_every_character(encoding: str, tmp_path: Path) -> None:
    """An arrow or a sign ended the command with a traceback, and with 1, as if something had got worse."""
    good, bad = kept(tmp_path / "good", Verdict.PASS), kept(tmp_path / "bad", Verdict.SKIP)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    for words, code in (["diff", str(bad), str(good)], 0), (["merge", str(good)], 0), (["diff", "\udce4", "x"], 2):
        command = [sys.executable, "-m", "runner", *words]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr


def test_what_a_full_disk_does_not_take_is_missing(tmp_path: Path) -> None:
    good, bad = kept(tmp_path / "good", Verdict.PASS), kept(tmp_path / "bad", Verdict.FAIL)
    for words, code in (["images"], 2), (["--help"], 2), (["diff", str(good), str(bad)], 1):
        assert ended([sys.executable, "-m", "runner", *words], "full") == (code, FULL)


@pytest.mark.parametrize(
    ("words", "reader", "code", "line"),
    [((), "gone", 0, ""), (("-n", "2"), "gone", 0, ""), ((), "full", 2, FULL)],
    ids=["gone", "gone, two workers", "full"],
)
def test_a_run_is_proven_and_reported(inner: Inner, words: tuple[str, ...], reader: str, code: int, line: str) -> None:
    inner.write(**CASES)
    place = ["--rootdir", str(inner.root), "-c", str(inner.root / "pytest.ini"), str(inner.root / "suites")]
    command = [sys.executable, "-c", f"{RUN})", str(inner.folder), *words, *place]
    assert ended(command, reader, {"FAKE_TRACE": str(inner.trace)}) == (code, line)
    report = report_of(inner)
    assert report["run"]["exit"] == 0
    assert report["totals"]["pass"] == 3
    assert (inner.folder / "index.html").is_file()


def test_a_reader_that_leaves_a_run(inner: Inner) -> None:
    """As `head -1` does. What was set up is put back."""
    inner.write(**CASES)
    place = ["--rootdir", str(inner.root), "-c", str(inner.root / "pytest.ini"), str(inner.root / "suites")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'unit'}"}
    environment |= {"FAKE_TRACE": str(inner.trace)}
    command = [sys.executable, "-c", f"{RUN})", str(inner.folder), *place]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(300) == 0
    assert report_of(inner)["totals"]["pass"] == 3
    lines = inner.trace.read_text().splitlines()
    assert [line.split()[0] for line in lines].count("enter") == [line.split()[0] for line in lines].count("exit")


def test_streams_that_are_closed_from_the_beginning() -> None:
    words = f"{sys.executable} -m runner images"
    done = subprocess.run(["/bin/sh", "-c", f"{words} >&- 2>&-"], cwd=ROOT, check=False)
    assert done.returncode == 0
