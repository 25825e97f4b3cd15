"""What `./meshproof test` runs and leaves out, and that it reports what it leaves out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from clients.model.errors import SettingsError
from runner.commands import child, second_try, test

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[4]
VERSIONS = "tests/e2e/test_mesh_versions.py"
LEFT_OUT = "nightly tests (the whole catalogue by version and by role): ./meshproof test --nightly"


def collected(*words: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120).stdout


def test_a_run_of_the_end_to_end_tests_leaves_the_nightly_ones_out_and_reports_it() -> None:
    output = collected("tests/e2e", "-m", "e2e")
    assert "tests/e2e/test_lab.py" in output
    assert VERSIONS not in output
    assert LEFT_OUT in output


@pytest.mark.parametrize("words", [("tests/e2e", "-m", test.NIGHTLY), (VERSIONS,)])
def test_nightly_tests_run_where_they_are_selected(words: tuple[str, ...]) -> None:
    output = collected(*words)
    assert f"{VERSIONS}::test_the_whole_catalogue_conforms[1.29]" in output
    assert "left out" not in output


@pytest.mark.parametrize(("nightly", "marks"), [(False, "e2e"), (True, "e2e or nightly")])
def test_the_option_adds_them(nightly: bool, marks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def python(*words: str) -> SimpleNamespace:
        asked.append(words)
        return SimpleNamespace(code=0, interrupted=False)

    monkeypatch.setattr(child, "python", python)
    monkeypatch.setattr(test, "_bring_up", lambda _: None)
    assert test.own_tests(nightly=nightly) == 0
    assert asked[-2] == ("-m", "pytest", "tests/unit", "-n", "auto")
    assert asked[-1][:5] == ("-m", "pytest", "tests/e2e", "-m", marks)
    assert "-n" not in asked[-1]


A_TEST = """
from pathlib import Path

COUNT = Path(__file__).with_name("count")


def test_passes_at_try_{passes_at}():
    COUNT.write_text(COUNT.read_text() + "x" if COUNT.exists() else "x")
    assert len(COUNT.read_text()) >= {passes_at}


def test_that_passes():
    pass
"""


@pytest.mark.parametrize(("passes_at", "code", "runs"), [(1, 0, 1), (2, 0, 2), (3, 1, 2)])
def test_a_failed_end_to_end_test_is_tried_once_more_and_named(
    passes_at: int, code: int, runs: int, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(A_TEST.format(passes_at=passes_at))
    ended, printed, outputs = pytest_in(tmp_path)
    assert ended == code
    assert len(outputs) == runs
    assert ("UNSTABLE" in "".join(printed)) == (passes_at == 2)
    if runs == 2:
        assert f"test_it.py::test_passes_at_try_{passes_at}" in printed[0]
        assert re.search(r"\b1 (passed|failed) in", outputs[1])


def test_of_many_that_failed_none_is_tried_again(tmp_path: Path) -> None:
    failing = (f"def test_{number}():\n    assert False\n" for number in range(second_try.LIMIT + 1))
    (tmp_path / "test_it.py").write_text("\n".join(failing))
    ended, printed, outputs = pytest_in(tmp_path)
    assert (ended, printed, len(outputs)) == (1, [], 1)


def test_a_run_that_was_cut_off_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import pytest\n\ndef test_it():\n    pytest.exit('cut', returncode=130)\n")
    ended, _, outputs = pytest_in(tmp_path)
    assert (ended, len(outputs)) == (130, 1)


def pytest_in(folder: Path) -> tuple[int, list[str], list[str]]:
    """Run the tests of a folder by pytest itself: exit code, the lines that were printed, and each run's output."""
    outputs: list[str] = []

    def run(options: Sequence[str]) -> int:
        command = [sys.executable, "-m", "pytest", "-p", "no:xdist", str(folder), "--rootdir", str(folder), *options]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        outputs.append(ended.stdout)
        return ended.returncode

    printed: list[str] = []
    return second_try.with_second_try(run, folder / "cache", printed.append), printed, outputs


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"istio": "1.28"}, "Istio '1.28' is not a version of the testbed"),
        ({"unit": True, "nightly": True}, "--unit and --nightly contradict each other"),
        ({"profiles": True, "unit": True}, "--unit and --profiles"),
        ({"mutants": True, "profiles": True}, "--harness-mutants and --profiles"),
    ],
)
def test_bad_options_are_reported_before_anything_runs(
    words: dict[str, object], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "python", lambda *_: pytest.fail("something ran"))
    with pytest.raises(SettingsError, match=why):
        test.own_tests(**words)  # type: ignore[arg-type]
