"""What a run would do on a named cluster: counted by case, the commonest reason first."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from test_fleet_run import kubeconfig

from clients.model.evidence import Subject
from runner.commands import cli, plan
from runner.commands.plan_here import SHOWN, judged, show
from runner.session.planned import PlannedTest

pytestmark = pytest.mark.unit


def planned(name: str, cells: int = 1) -> PlannedTest:
    """A planned test, or a table of so many cells."""
    ids = [name] if cells == 1 else [f"{name}[{number}]" for number in range(cells)]
    return PlannedTest(name, name, tuple(Subject(control=name, id=one) for one in ids))


def printed(reasons: dict[str, str], *entries: PlannedTest) -> str:
    out = io.StringIO()
    show(judged("live cluster x", entries, reasons, ("what is tried",)), Console(file=out, width=300))
    return out.getvalue()


def test_cases_are_counted_by_what_becomes_of_them() -> None:
    reasons = {"A": "", "B": "the target lacks iap", "C": "the target lacks jwt"}
    found = judged("x", [planned("A"), planned("B"), planned("C", 3)], reasons, ())
    assert found.tried == ("A",)
    assert list(found.skipped) == ["the target lacks jwt", "the target lacks iap"], "the commonest first"
    assert found.skipped["the target lacks jwt"] == ("C[0]", "C[1]", "C[2]")


def test_a_long_list_is_cut_and_says_so() -> None:
    text = printed({"A": "", "B": "needs [x]"}, planned("A"), planned("B", SHOWN + 4))
    assert "On the live cluster x" in text
    assert f"1 of {SHOWN + 5} cases would be tried, {SHOWN + 4} skipped:" in text
    assert "needs [x]: B[0]" in text
    assert "and 4 more" in text
    assert "not known yet: what is tried" in text


def test_where_nothing_is_skipped_it_says_that() -> None:
    assert "all tried" in printed({"A": ""}, planned("A"))


def test_rows_and_cases_are_counted_apart() -> None:
    assert plan.total([planned("A")]) == "1 case of 1 control in 1 module"
    assert plan.total([planned("A"), planned("B", 4)]) == "5 cases of 2 controls in 1 module"


def test_a_cluster_that_does_not_answer_is_the_only_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plan, "collect", lambda *_: [planned("LAB-PERM-01")])
    assert cli.main(["plan", "--kubeconfig", str(kubeconfig(tmp_path, "a")), "--context", "a"]) == 2
    assert cli.main(["plan", "--kubeconfig", str(tmp_path / "kubeconfig"), "--context", "nope"]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.count("\n") == 2
