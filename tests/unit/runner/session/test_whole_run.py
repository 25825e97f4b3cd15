"""A run of everything does not conform when it lost a control; a run of a part may lack any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from plan_fakes import planned_test

from runner.config import catalogue
from runner.config.settings import ROOT
from runner.session.planning import whole_run

pytestmark = pytest.mark.unit


def config(args: Sequence[str], folder: Path = ROOT, **options: Any) -> Any:
    """What pytest knows about its command line."""
    return SimpleNamespace(
        getoption=lambda name, default=None: options.get(name, default),
        args=args,
        invocation_params=SimpleNamespace(dir=folder),
    )


TOPICS = sorted(f"suites/{folder.name}" for folder in (ROOT / "suites").iterdir() if list(folder.glob("test_*.py")))


@pytest.mark.parametrize(
    ("args", "folder"),
    [
        (["suites"], ROOT),
        (["."], ROOT),
        ([str(ROOT / "suites")], Path("/")),
        (["../suites"], ROOT / "tests"),
        (["suites/lab", "suites"], ROOT),
        (TOPICS, ROOT),
    ],
)
def test_all_suites_are_a_whole_run_however_they_are_named(args: list[str], folder: Path) -> None:
    assert whole_run.is_whole(config(args, folder))


@pytest.mark.parametrize(
    "args", [["suites/lab"], TOPICS[1:], ["suites/lab/test_setup.py"], ["suites/lab/test_setup.py::test_x"], ["tests"]]
)
def test_a_path_to_a_part_is_no_whole_run(args: list[str]) -> None:
    assert not whole_run.is_whole(config(args))


@pytest.mark.parametrize("option", whole_run.NARROWING)
def test_an_option_that_leaves_tests_out_is_no_whole_run(option: str) -> None:
    assert not whole_run.is_whole(config(["suites"], **{option: "something"}))
    assert whole_run.is_whole(config(["suites"], **{option: [] if option == "control" else ""}))


def test_every_option_that_leaves_tests_out_is_one_of_pytests_or_ours(pytestconfig: pytest.Config) -> None:
    for name in whole_run.NARROWING:
        pytestconfig.getoption(name)  # raises ValueError for one that does not exist


def test_a_whole_run_has_lost_what_no_test_proves_but_for_controls_of_the_harness() -> None:
    controls = catalogue.load()
    plan = [planned_test(name, name=name, control=name) for name in controls.controls if name != "LAB-PERM-01"]
    assert whole_run.lost(plan, controls) == {"LAB-PERM-01"}
    assert whole_run.lost([one for one in plan if one.control != "X-CLEAN-UP"], controls) == {"LAB-PERM-01"}
