"""What costs time to give is demands for by some selected test."""

from __future__ import annotations

import pytest
from plan_fakes import planned_test

from clients.model.evidence import Subject
from runner.session.needs.demands import Demands
from runner.session.planned import PlannedTest

pytestmark = pytest.mark.unit
PLAIN = planned_test("n", needs=("jwt", "sidecar-injection"))
AT_GATEWAY = planned_test("n", needs=("ingress-gateway",))
FROM_OUTSIDE = PlannedTest("n", "X-1", (Subject(control="X-1", id="X-1", source="outside/client"),))
BROWSER = planned_test("n", needs=("chromium",))


@pytest.mark.parametrize(
    ("tests", "browses", "enters"),
    [
        ([PLAIN], False, False),
        ([PLAIN, AT_GATEWAY], False, True),
        ([PLAIN, FROM_OUTSIDE], False, True),
        ([BROWSER], True, False),
        ([], False, True),  # not known
    ],
)
def test_what_selected_tests_ask_of_a_target(tests: list[PlannedTest], browses: bool, enters: bool) -> None:
    demands = Demands(lambda: tests)
    assert (demands.browses(), demands.enters()) == (browses, enters)


def test_the_selection_is_found_once() -> None:
    found: list[int] = []
    demands = Demands(lambda: found.append(1) or [PLAIN])
    assert not found
    demands.browses()
    demands.enters()
    assert found == [1]
