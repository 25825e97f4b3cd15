"""Which process gets which module, and when."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from runner.schedule import A_TEST_S, StageScheduling, lasts_s
from suites.egress import LASTS_S

pytestmark = pytest.mark.unit

EGRESS = Path(__file__).parents[2] / "suites" / "egress"


class Node:
    """A process that only notes what it is given."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.given += numbers


def test_a_module_lasts_as_its_folder_says_or_by_its_tests():
    assert lasts_s("suites/egress/test_clean_up.py", 1) == LASTS_S["test_clean_up.py"]
    assert lasts_s("suites/egress/test_route.py", 8) == pytest.approx(8 * A_TEST_S)
    assert lasts_s("suites/front", 100) == pytest.approx(100 * A_TEST_S)
    assert lasts_s("tests/unit/test_schedule.py", 2) == pytest.approx(2 * A_TEST_S)


def test_every_module_that_is_said_to_last_is_there():
    assert [name for name in LASTS_S if not (EGRESS / name).exists()] == []


def test_the_longest_module_is_handed_out_first():
    scheduling: Any = StageScheduling.__new__(StageScheduling)
    modules = {"test_route.py": 2, "test_clean_up.py": 1, "test_scope.py": 3}
    tests = [f"suites/egress/{name}::test_{n}" for name, count in modules.items() for n in range(count)]
    node: Any = Node()
    scheduling.registered_collections, scheduling.assigned_work = {node: tests}, {}
    scheduling.workqueue = OrderedDict()
    for nodeid in tests:
        scheduling.workqueue.setdefault(scheduling._split_scope(nodeid), {})[nodeid] = False
    for _ in modules:
        scheduling._assign_work_unit(node)
    assert [tests[n].split("/")[-1].split("::")[0] for n in node.given] == [
        "test_clean_up.py",
        *["test_scope.py"] * 3,
        *["test_route.py"] * 2,
    ]
