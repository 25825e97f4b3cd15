"""Which worker gets which module, and when; without xdist."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from plan_fakes import planned_test

from clients.model.schedule import Placement
from runner.session.planned import PlannedTest
from runner.session.planning.dispatch import Answer, Dispatcher, choose
from runner.session.planning.work import MODULE_S, TEST_S, Process, Work, scope_of, works

pytestmark = pytest.mark.unit

TWO_S = MODULE_S + 2 * TEST_S
MORE = frozenset({"a/more"})
A1, A2 = Work("suites/a/test_1.py", 1), Work("suites/a/test_2.py", 2)
A3, A4 = Work("suites/a/test_3.py", 3, MORE), Work("suites/a/test_4.py", 4, MORE)
A5 = Work("suites/a/test_5.py", 5, alone=True)
A6 = Work("suites/a/test_6.py", 6, alone=True)
A7 = Work("suites/a/test_7.py", 7, yields_lock=True)
B9 = Work("suites/b/test_9.py", 9)


def done(*works: Work) -> Process:
    """A worker that has done these."""
    process = Process()
    for work in works:
        process = process.after(work)
    return process


@pytest.mark.parametrize(
    ("queue", "mine", "others", "chosen"),
    [
        pytest.param([A1, A2, A3, B9], [], [], B9, id="at the beginning: the topic with the most work"),
        pytest.param([A1, A2, A3, A4, B9], [], [[B9]], A4, id="unattended topic: the environment with the most work"),
        pytest.param([A1, A2, A4, B9], [A3], [], A4, id="in the deployed environment: the longest"),
        pytest.param([A2, A3, A4], [A1], [], A2, id="the deployed environment before another one"),
        pytest.param([A1, A2, A5, B9], [A4], [[A3]], A2, id="its own topic before another one, exclusive work last"),
        pytest.param([A5, A6, B9], [A4], [], A6, id="exclusive work before another topic"),
        pytest.param([A5], [A6], [[A1]], A5, id="exclusive work after exclusive work"),
        pytest.param([A5], [A1], [[A6]], None, id="exclusive work goes to the worker that began with it"),
        pytest.param([A5], [B9], [[A1]], None, id="no worker joins for exclusive work"),
        pytest.param([A5], [B9], [], A5, id="exclusive work, when there is no other worker"),
        pytest.param([A3, A4], [A1], [[A3]], None, id="an environment of few modules is deployed once"),
        pytest.param([A3, A2], [B9], [[A4]], A2, id="it helps in the common environment"),
        pytest.param([A1, A2], [B9], [[A3]], A2, id="it helps where the most is left"),
        pytest.param([A3], [B9], [[A4, B9]], A3, id="a worker that changed its topic has removed its environment"),
        pytest.param([A1, A4], [A3], [[A2]], A4, id="first what no other worker can do"),
        pytest.param([A1, A7], [A2], [], A1, id="work that yields the lock comes late"),
        pytest.param([A5, A7], [A2], [], A7, id="work that yields the lock before exclusive work"),
        pytest.param([A5], [A7], [[A2]], None, id="a worker that yields the lock leaves exclusive work to others"),
        pytest.param([A5], [A7], [[B9]], A5, id="with others in another topic only, it goes on to exclusive work"),
        pytest.param([A7], [A1], [[A5]], A7, id="it yields the lock to a worker with exclusive work"),
        pytest.param([], [A3], [], None, id="nothing is left"),
    ],
)
def test_what_a_worker_does_next(queue, mine, others, chosen):
    assert choose(queue, done(*mine), [done(*other) for other in others]) == chosen


@pytest.mark.parametrize(("cost_s", "joins"), [(1.5, True), (1.6, False)])
def test_a_worker_joins_a_topic_if_twice_its_environment_is_left(cost_s, joins):
    left = [Work("suites/a/test_1.py", 1, environment_s=cost_s), Work("suites/a/test_2.py", 2, environment_s=cost_s)]
    assert choose(left, done(B9), [done(A3)]) == (left[1] if joins else None)
    assert choose(left, done(A1), [done(A3)]) == left[1], "it is there already"


def planned(
    module: str, *, environment: tuple[str, ...] = (), prefetch: tuple[str, ...] = (), alone: bool = False, **placed
) -> PlannedTest:
    """The plan's entry of the only test of a module."""
    placement = Placement(**{"scope": module, **placed})
    more = {"environment": environment, "prefetch": prefetch, "alone": alone, "placement": placement}
    return planned_test(f"{module}::test", suite=module, **more)


def plan_of(*entries: PlannedTest) -> dict[str, PlannedTest]:
    return {entry.nodeid: entry for entry in entries}


def test_the_plan_shows_which_environment_few_modules_need_and_what_is_exclusive():
    plan = plan_of(
        planned("some/a/test_1.py", environment=("a/common",)),
        planned("some/a/test_2.py", environment=("a/common", "a/more"), alone=True),
        planned("some/a/test_ahead.py", environment=("a/common",), prefetch=("a/more", "a/not selected")),
        planned("some/a/test_without.py"),
    )
    queue = {entry.suite: [name, "some/a/test_1.py::not planned"] for name, entry in plan.items()}
    assert works(queue, plan) == [
        Work("some/a/test_1.py", TWO_S),
        Work("some/a/test_2.py", TWO_S, MORE, alone=True),
        Work("some/a/test_ahead.py", TWO_S, MORE),
        Work("some/a/test_without.py", TWO_S),
    ]


def test_the_plan_shows_how_long_work_takes_and_what_it_costs():
    plan = plan_of(
        planned("some/a/test_1.py", duration_s=9.0, environment_s=4.0, yields_lock=True),
        planned("some/b/test_2.py", scope="some/b", duration_s=75.0),
    )
    queue = {"some/a/test_1.py": list(plan)[:1], "some/b": list(plan)[1:]}
    assert works(queue, plan) == [
        Work("some/a/test_1.py", 9.0, yields_lock=True, environment_s=4.0),
        Work("some/b", 75.0),
    ]


def test_tests_of_a_module_or_of_a_suite_stay_together():
    plan = plan_of(planned("some/b/test_2.py", scope="some/b"), planned("some/c/test_3.py"))
    assert scope_of("some/b/test_2.py::test", plan) == "some/b"
    assert scope_of("some/c/test_3.py::test", plan) == "some/c/test_3.py"
    assert scope_of("tests/unit/test_x.py::Test::test[a::b]", plan) == "tests/unit/test_x.py", "it is not planned"


def asked(plan: Mapping[str, PlannedTest]) -> Dispatcher:
    return Dispatcher(lambda: plan)


def queue_of(plan: Mapping[str, PlannedTest]) -> dict[str, list[str]]:
    return {entry.placement.scope: [name] for name, entry in plan.items()}


def test_exclusive_work_is_left_to_the_worker_that_can_take_it():
    """One worker yields the lock; it takes exclusive work itself only when every other worker is shutting down."""
    first = plan_of(planned("s/a/test_clean_up.py", yields_lock=True, duration_s=9.0), planned("s/a/test_x.py"))
    last = plan_of(planned("s/a/test_wide.py", alone=True))
    dispatcher = asked(first | last)

    def ask(worker: str, plan: Mapping[str, PlannedTest], *, other: str, ending: bool = False) -> Work | Answer:
        return dispatcher.next_for(worker, queue_of(plan), pending=0, others={other: ending})

    [clean_up, other] = [plan_of(entry) for entry in first.values()]
    assert isinstance(ask("yielding", clean_up, other="other"), Work)
    assert isinstance(ask("other", other, other="yielding"), Work)
    assert ask("yielding", last, other="other") is Answer.END
    assert ask("yielding", last, other="other", ending=True) == Work("s/a/test_wide.py", MODULE_S + TEST_S, alone=True)


def test_exclusive_work_is_given_to_the_worker_that_did_not_yield_the_lock():
    plan = plan_of(planned("s/a/test_clean_up.py", yields_lock=True), planned("s/a/test_x.py"))
    wide = plan_of(planned("s/a/test_wide.py", alone=True))
    dispatcher = asked(plan | wide)
    for worker, entry in zip(("yielding", "other"), plan.values(), strict=True):
        dispatcher.next_for(worker, queue_of(plan_of(entry)), pending=0, others={})
    assert isinstance(dispatcher.next_for("other", queue_of(wide), pending=0, others={"yielding": False}), Work)


@pytest.mark.parametrize("kind", ["yields_lock", "alone"])
def test_work_that_concerns_the_lock_waits_until_its_worker_has_one_test_left(kind):
    """xdist assigns the next module with two tests to go; by then another worker may be the first to be free."""
    plan = plan_of(planned("s/a/test_x.py", **{kind: True}))
    dispatcher = asked(plan)
    assert dispatcher.next_for("w", queue_of(plan), pending=2, others={}) is Answer.LATER
    assert isinstance(dispatcher.next_for("w", queue_of(plan), pending=1, others={}), Work)


def test_other_work_is_given_out_early():
    plan = plan_of(planned("s/a/test_x.py"))
    assert isinstance(asked(plan).next_for("w", queue_of(plan), pending=2, others={}), Work)


def test_a_worker_that_was_given_nothing_yet_does_not_count_as_another():
    plan = plan_of(planned("s/a/test_x.py", environment_s=100.0))
    assert isinstance(asked(plan).next_for("w", queue_of(plan), pending=0, others={"idle": False}), Work)
