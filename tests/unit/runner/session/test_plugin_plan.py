"""The plan that the plugin makes: what runs alone, what a step applies, and stages that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inner_pytest import HEAD, TEST, Inner, suite

pytestmark = pytest.mark.unit


def control_of(entry: dict[str, Any]) -> str:
    """Of a test in the plan."""
    [subject] = entry["subjects"]
    return str(subject["control"])


def test_the_plan_shows_what_runs_alone(inner: Inner, tmp_path: Path) -> None:
    wide = suite("wide", "case('LAB-MTLS-01', 'pass')", needs="mesh-wide")
    safe_in_parallel = wide.replace("LAB-MTLS-01", "LAB-MTLS-02").replace(
        "Stage('wide'", "Stage('dry', safe_in_parallel=True"
    )
    inner.write(wide=wide, dry=safe_in_parallel)
    plan_file = tmp_path / "plan.json"
    inner.run("--collect-only", "--meshproof-plan", str(plan_file))
    assert {control_of(entry): entry["alone"] for entry in json.loads(plan_file.read_text()).values()} == {
        "LAB-MTLS-01": True,
        "LAB-MTLS-02": False,
    }


STEPPED = """
from dataclasses import replace
from clients.model.expect import status
from clients.model.stage import Settle, Step
STAGE = Stage("s", apply=("x.yaml",), steps=(Step("one", apply=("one.yaml",)), Step("two", apply=("two.yaml",))))
CASES = [case("LAB-PERM-01", "pass"), replace(case("LAB-PERM-02", "pass"), step="one")]
SETTLE = (Settle(CASES[1].probe, status(200), before=status(503)),)
STAGE = replace(STAGE, steps=(replace(STAGE.steps[0], settle=SETTLE), STAGE.steps[1]))
"""


def test_the_plan_names_what_has_been_applied_by_the_step_of_a_case(inner: Inner, tmp_path: Path) -> None:
    inner.write(stepped=HEAD + STEPPED + TEST)
    plan_file = tmp_path / "plan.json"
    inner.run("--collect-only", "--meshproof-plan", str(plan_file))
    assert {control_of(entry): entry["apply"] for entry in json.loads(plan_file.read_text()).values()} == {
        "LAB-PERM-01": ["x.yaml"],
        "LAB-PERM-02": ["x.yaml", "one.yaml"],
    }


STILL = "replace(case('LAB-PERM-01', 'pass'), before=status(200))"
SILENT = """
from dataclasses import replace
from clients.model.expect import status
from clients.model.stage import Settle
CASES = [{case}]
STAGE = Stage("s", apply=("x.yaml",){settle})
"""


@pytest.mark.parametrize(
    ("settle", "why"),
    [
        ("", "has nothing to settle on"),
        (", settle=(Settle(CASES[0].probe, status(200)),)", "which the state before answers too"),
        (", settle=(Settle(replace(CASES[0].probe, method='HEAD'), status(403)),)", "without saying what the state"),
    ],
)
def test_a_stage_whose_change_nothing_would_show_is_refused(
    inner: Inner, settle: str, why: str, tmp_path: Path
) -> None:
    inner.write(silent=HEAD + SILENT.format(case=STILL, settle=settle) + TEST)
    for words in ([], ["--collect-only", "--meshproof-plan", str(tmp_path / "plan.json")]):
        ran = inner.run(*words)
        assert ran.code == 2
        assert why in ran.output
        assert "before=" in ran.output


def test_whether_a_change_is_shown_is_judged_by_the_whole_module(inner: Inner) -> None:
    """The case that states what the state before answers need not be selected itself."""
    settle = ", settle=(Settle(CASES[1].probe, status(200)),)"
    cases = f"{STILL}, replace(case('LAB-PERM-02', 'slow'), before=status(503))"
    inner.write(one=HEAD + SILENT.format(case=cases, settle=settle) + TEST)
    assert inner.run("--control", "LAB-PERM-01").verdicts == {"LAB-PERM-01": "pass"}
