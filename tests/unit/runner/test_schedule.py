"""Which process gets which module, and when."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.session import schedule
from runner.session.schedule import MODULE_S, TEST_S, Process, StageScheduling, Work, choose, duration_s, works
from suites import boutique, egress, front

pytestmark = pytest.mark.unit

SUITES = Path(__file__).parents[3] / "suites"
TWO_S = MODULE_S + 2 * TEST_S
MORE = frozenset({"a/more"})
A1, A2 = Work("suites/a/test_1.py", 1), Work("suites/a/test_2.py", 2)
A3, A4 = Work("suites/a/test_3.py", 3, MORE), Work("suites/a/test_4.py", 4, MORE)
A5 = Work("suites/a/test_5.py", 5, alone=True)
A6 = Work("suites/a/test_6.py", 6, alone=True)
A7 = Work("suites/a/test_7.py", 7, yields_lock=True)
B9 = Work("suites/b/test_9.py", 9)


def done(*works: Work) -> Process:
    """A process that has done these."""
    where = Process()
    for work in works:
        where = where.after(work)
    return where


class Node:
    """A process that only notes what it is given."""

    gateway = SimpleNamespace(id="gw")

    def __init__(self) -> None:
        self.given: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.given += numbers

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.fixture
def environment_s(monkeypatch):
    """Sets what a process more costs, in every topic."""

    def costs(seconds):
        monkeypatch.setattr(schedule, "_environment_s", lambda _: seconds)

    costs(0.0)
    return costs


def test_a_module_lasts_as_its_folder_says_or_by_its_tests():
    assert duration_s("suites/egress/test_clean_up.py", 1) == egress.DURATIONS_S["test_clean_up.py"]
    assert duration_s("suites/egress/test_route.py", 8) == pytest.approx(MODULE_S + 8 * TEST_S)
    assert duration_s("suites/boutique", 100) == boutique.DURATIONS_S["."]
    assert duration_s("suites/iap", 100) == pytest.approx(MODULE_S + 100 * TEST_S)
    assert duration_s("tests/unit/test_schedule.py", 2) == pytest.approx(MODULE_S + 2 * TEST_S)


@pytest.mark.parametrize("suite", [boutique, egress, front])
def test_every_module_that_is_said_to_last_or_to_lend_its_turn_is_there(suite):
    folder = Path(suite.__file__).parent
    names = {*suite.DURATIONS_S, *getattr(suite, "YIELDS_LOCK", ())}
    assert [name for name in names if not (folder / name).exists()] == []


@pytest.mark.parametrize(
    ("queue", "mine", "others", "chosen"),
    [
        pytest.param([A1, A2, A3, B9], [], [], B9, id="at the beginning: the topic with the most work"),
        pytest.param([A1, A2, A3, A4, B9], [], [[B9]], A4, id="where nobody is, on the ground with the most work"),
        pytest.param([A1, A2, A4, B9], [A3], [], A4, id="on what stands, the longest"),
        pytest.param([A2, A3, A4], [A1], [], A2, id="on what stands before another ground"),
        pytest.param([A1, A2, A5, B9], [A4], [[A3]], A2, id="its own topic before another one, what runs alone last"),
        pytest.param([A5, A6, B9], [A4], [], A6, id="what runs alone before another topic"),
        pytest.param([A5], [A6], [[A1]], A5, id="what runs alone after what ran alone"),
        pytest.param([A5], [A1], [[A6]], None, id="what runs alone is for who has begun with it"),
        pytest.param([A5], [B9], [[A1]], None, id="nobody comes to help with what runs alone"),
        pytest.param([A5], [B9], [], A5, id="what runs alone, when nobody else is there"),
        pytest.param([A3, A4], [A1], [[A3]], None, id="a ground of few is put up once"),
        pytest.param([A3, A2], [B9], [[A4]], A2, id="it helps on the ground of all"),
        pytest.param([A1, A2], [B9], [[A3]], A2, id="it helps where the most is left"),
        pytest.param([A3], [B9], [[A4, B9]], A3, id="who has left has taken the ground away"),
        pytest.param([A1, A4], [A3], [[A2]], A4, id="first what nobody else can do"),
        pytest.param([A1, A7], [A2], [], A1, id="what lends its turn comes late"),
        pytest.param([A5, A7], [A2], [], A7, id="what lends its turn before what runs alone"),
        pytest.param([A5], [A7], [[A2]], None, id="who lends its turn leaves the rest to others"),
        pytest.param([A5], [A7], [[B9]], A5, id="where others are, who lends its turn goes on"),
        pytest.param([A7], [A1], [[A5]], A7, id="it lends its turn to who runs alone"),
        pytest.param([], [A3], [], None, id="nothing is left"),
    ],
)
def test_what_a_process_does_next(environment_s, queue, mine, others, chosen):
    assert choose(queue, done(*mine), [done(*other) for other in others]) == chosen


def test_a_process_more_on_a_ground_must_pay(environment_s):
    environment_s(1.5)
    assert choose([A1, A2], done(B9), [done(A3)]) == A2
    environment_s(1.6)
    assert choose([A1, A2], done(B9), [done(A3)]) is None
    assert choose([A1, A2], done(A1), [done(A3)]) == A2


def test_the_plan_tells_what_only_few_stand_on_and_what_runs_alone():
    plan = {
        f"some/a/test_{name}.py::test": SimpleNamespace(
            environment=environment, prefetch=prefetch, alone=alone, suite=f"some/a/test_{name}.py"
        )
        for name, environment, prefetch, alone in (
            ("1", ["a/ground"], [], False),
            ("2", ["a/ground", "a/more"], [], True),
            ("prefetch", ["a/ground"], ["a/more", "a/not selected"], False),
            ("without", [], [], False),
        )
    }
    queue = {test.partition("::")[0]: [test, "some/a/test_1.py::not planned"] for test in plan}
    assert works(queue, plan) == [
        Work("some/a/test_1.py", TWO_S),
        Work("some/a/test_2.py", TWO_S, MORE, alone=True),
        Work("some/a/test_prefetch.py", TWO_S, MORE),
        Work("some/a/test_without.py", TWO_S),
    ]


def scheduling(tests: list[str], nodes: int) -> Any:
    """One that has just collected these tests."""
    config: Any = SimpleNamespace(getvalue=lambda _: ["popen"] * nodes, option=SimpleNamespace(loadscopereorder=False))
    made: Any = StageScheduling.__new__(StageScheduling)
    made.config, made.numnodes, made.collection, made.log = config, nodes, None, lambda *_: None
    made.workqueue, made.assigned_work, made._plan, made._where = OrderedDict(), {}, dict, {}
    made.registered_collections = {}
    for _ in range(nodes):
        node = Node()
        made.add_node(node)
        made.registered_collections[node] = tests
    return made


def given(node: Any, tests: list[str]) -> list[str]:
    """The modules it was given, in order."""
    return list(dict.fromkeys(tests[n].split("/")[-1].split("::")[0] for n in node.given))


def begun(modules: dict[str, int]) -> tuple[Any, Any, list[str]]:
    """What hands these modules of egress out (with how many tests), its one process, and the tests."""
    tests = [f"suites/egress/{name}::test_{n}" for name, count in modules.items() for n in range(count)]
    made = scheduling(tests, 1)
    made.schedule()
    [node] = made.nodes
    return made, node, tests


def test_the_longest_module_is_handed_out_first():
    made, node, tests = begun({"test_route.py": 2, "test_clean_up.py": 1, "test_tls_origination.py": 3})
    for number in range(len(tests)):
        made.mark_test_complete(node, node.given[number])
    assert given(node, tests) == ["test_tls_origination.py", "test_route.py", "test_clean_up.py"]
    assert node.shutting_down


def test_what_runs_alone_is_left_to_a_process_that_comes_for_it():
    """The turn is lent to another process; where every other one is at its end, nobody would come."""
    modules = {"clean_up": Process("suites/egress", yields_lock=True), "strict_mesh_wide": Process("suites/egress")}
    tests = ["suites/egress/test_strict_mesh_wide.py::test_case"]
    plan = {tests[0]: SimpleNamespace(environment=[], prefetch=[], alone=True, suite=tests[0].partition("::")[0])}
    made = scheduling(tests, 2)
    made._plan, made.workqueue = lambda: plan, OrderedDict({plan[tests[0]].suite: {tests[0]: False}})
    [lender, other] = made.nodes
    made._where = dict(zip(made.nodes, modules.values(), strict=True))
    assert made._next(lender) is None
    assert made._next(other) is not None
    other.shutdown()
    assert made._next(lender) is not None


def test_what_lends_its_turn_is_not_handed_out_before_its_time():
    """xdist hands out the next module with two tests to go; by then another process may be the first to have time."""
    made, node, tests = begun({"test_route.py": 2, "test_scope.py": 1, "test_clean_up.py": 1})
    made.mark_test_complete(node, node.given[0])
    assert given(node, tests) == ["test_route.py", "test_scope.py"], "two tests to go"
    made.mark_test_complete(node, node.given[1])
    assert given(node, tests) == ["test_route.py", "test_scope.py", "test_clean_up.py"], "one, which needs a next"


def test_a_process_whose_help_does_not_pay_ends(environment_s):
    environment_s(100.0)
    tests = [f"suites/egress/test_{name}.py::test_{n}" for name in ("route", "scope") for n in range(4)]
    made = scheduling(tests, 2)
    made.schedule()
    [first, second] = made.nodes
    assert (len(first.given), second.given, second.shutting_down) == (4, [], True)
    made.remove_node(second)
    for number in range(len(tests)):
        made.mark_test_complete(first, first.given[number])
    assert given(first, tests) == ["test_route.py", "test_scope.py"]
