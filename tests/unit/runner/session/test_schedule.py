"""xdist assigns what the dispatcher chooses; a test that killed its worker is not repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from plan_fakes import planned_test
from xdist.remote import Producer

from clients.model.schedule import Placement
from runner.session.planning.schedule import StageScheduling

pytestmark = pytest.mark.unit


class WorkerNode:
    """A worker that only records what it gets."""

    gateway = SimpleNamespace(id="gw")

    def __init__(self) -> None:
        self.given: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.given += numbers

    def shutdown(self) -> None:
        self.shutting_down = True


class ScheduledSession:
    """Workers that have just collected these tests (module: number of tests), and the scheduling between them."""

    def __init__(
        self, modules: dict[str, int], workers: int, placed: Callable[[str], Placement] = lambda _: Placement()
    ) -> None:
        self.tests = [f"suites/a/{name}.py::test_{n}" for name, count in modules.items() for n in range(count)]
        plan = {test: planned_test(test, name=test, suite=test.split("::")[0]) for test in self.tests}
        plan = {test: replace(entry, placement=placed(entry.suite)) for test, entry in plan.items()}
        config: Any = SimpleNamespace(
            getvalue=lambda _: ["popen"] * workers, option=SimpleNamespace(loadscopereorder=False)
        )
        self.scheduling: Any = StageScheduling(config, Producer("scheduling", enabled=False), lambda: plan)
        self.nodes = [self.join() for _ in range(workers)]
        self.scheduling.schedule()

    def join(self) -> WorkerNode:
        """One more worker, which has collected."""
        node = WorkerNode()
        self.scheduling.add_node(node)
        self.scheduling.add_node_collection(node, self.tests)
        return node

    def finish(self, node: WorkerNode, tests: int) -> None:
        """The first of the worker's tests end."""
        for number in range(tests):
            self.scheduling.mark_test_complete(node, node.given[number])

    def modules_of(self, node: WorkerNode) -> list[str]:
        """What it got, in order."""
        return list(dict.fromkeys(self.tests[n].split("/")[-1].split(".")[0] for n in node.given))


def test_the_longest_module_is_assigned_first_and_then_the_worker_ends():
    session = ScheduledSession({"route": 2, "scope": 1, "origination": 3}, 1)
    [node] = session.nodes
    session.finish(node, 6)
    assert session.modules_of(node) == ["origination", "route", "scope"]
    assert node.shutting_down


def test_modules_of_one_scope_go_to_one_worker():
    session = ScheduledSession({"route": 2, "scope": 2}, 2, lambda _: Placement("suites/a"))
    assert sorted(len(node.given) for node in session.nodes) == [0, 4]


def test_a_module_that_yields_the_lock_is_not_handed_out_before_its_time():
    """xdist asks with two tests to go; by then another worker may be the first to be free."""
    session = ScheduledSession(
        {"route": 2, "scope": 1, "clean_up": 1}, 1, lambda module: Placement(yields_lock="clean_up" in module)
    )
    [node] = session.nodes
    session.finish(node, 1)
    assert session.modules_of(node) == ["route", "scope"], "two tests to go"
    session.finish(node, 2)
    assert session.modules_of(node) == ["route", "scope", "clean_up"], "one, which needs a next"


def test_a_worker_that_is_not_worth_its_environment_ends_and_the_other_does_the_rest():
    session = ScheduledSession({"route": 4, "scope": 4}, 2, lambda _: Placement(environment_s=100.0))
    [first, second] = session.nodes
    assert (len(first.given), second.given, second.shutting_down) == (4, [], True)
    session.scheduling.remove_node(second)
    session.finish(first, 8)
    assert session.modules_of(first) == ["route", "scope"]


def test_a_test_that_killed_its_worker_is_not_repeated_and_those_after_it_are():
    session = ScheduledSession({"route": 4}, 1)
    [died] = session.nodes
    session.finish(died, 1)
    killer, *after = died.given[1:]
    assert session.scheduling.remove_node(died) == session.tests[killer]
    replacement = session.join()
    session.scheduling.schedule()
    assert replacement.given == after
