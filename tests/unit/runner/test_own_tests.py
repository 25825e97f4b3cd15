"""What `./meshproof test` runs and leaves out, and that it reports what it leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clients.model.errors import SettingsError
from runner.commands import child, test

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
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
    assert asked[-1] == ("-m", "pytest", "tests/e2e", "-m", marks)


@pytest.mark.parametrize(
    ("words", "why"),
    [({"istio": "1.28"}, "Istio '1.28' is not a version of the testbed"), ({"unit": True, "nightly": True}, "--unit")],
)
def test_bad_options_are_reported_before_anything_runs(
    words: dict[str, object], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "python", lambda *_: pytest.fail("something ran"))
    with pytest.raises(SettingsError, match=why):
        test.own_tests(**words)  # type: ignore[arg-type]
