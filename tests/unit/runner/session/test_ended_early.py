"""A run that ends while its target is brought up leaves a report; a session without suites leaves none."""

from __future__ import annotations

import json

import pytest
from inner_pytest import Inner, suite

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("words", "name"), [((), "SIGINT"), (("-n", "2"), "SIGTERM")], ids=["alone", "two workers"])
def test_an_interrupted_preflight_leaves_a_report(inner: Inner, words: tuple[str, ...], name: str) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    ran = inner.end(inner.start(*words, env={"FAKE_SIGNAL": name}, own_reports=True))
    assert ran.code == 130, ran.output
    folder = (ran.folder.parent / "latest").resolve()
    run = json.loads((folder / "conformance.json").read_text())["run"]
    assert (run["interrupted"], run["exit"]) == (name, 130)
    assert run["ended"]
    assert str(folder / "index.html") in ran.output.replace("\n", ""), "the terminal names it"
    assert "Traceback" not in ran.output


def test_the_caller_gets_the_journal_of_it(inner: Inner) -> None:
    """`meshproof run` writes the reports itself."""
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    ran = inner.end(inner.start("-n", "2", env={"FAKE_SIGNAL": "SIGINT"}))
    assert ran.code == 130, ran.output
    assert ran.contents.run is not None
    assert (ran.contents.run.interrupted, ran.contents.run.exit) == ("SIGINT", 130)
    assert not (ran.folder / "index.html").exists()


def test_workers_without_suites_make_no_folder(inner: Inner) -> None:
    """As in a session of unit tests: no run begins."""
    (inner.root / "test_other.py").write_text("def test_x():\n    pass\n")
    ran = inner.end(inner.start("-n", "2", own_reports=True, paths=("test_other.py",)))
    assert ran.code == 0, ran.output
    assert list(inner.folder.parent.iterdir()) == [inner.folder], "only the one that the test has made"
