"""The schedule of a suite, and the placement that a test gets from it."""

from __future__ import annotations

import pytest

from clients.model.schedule import WHOLE_SUITE, Placement, SuiteSchedule

pytestmark = pytest.mark.unit

MODULES = SuiteSchedule(durations_s={"test_slow.py": 9.0}, environment_s=4.0, yields_lock=frozenset({"test_slow.py"}))


def test_a_module_has_its_measured_duration_and_may_yield_the_lock():
    assert MODULES.placement("suites/a/test_slow.py") == Placement("suites/a/test_slow.py", 9.0, 4.0, True)


def test_a_module_that_the_schedule_does_not_name_has_no_measured_duration_and_keeps_the_lock():
    assert MODULES.placement("suites/a/test_x.py") == Placement("suites/a/test_x.py", None, 4.0, False)


def test_one_process_gets_the_whole_folder_with_its_whole_duration():
    whole = SuiteSchedule(one_process=True, durations_s={WHOLE_SUITE: 75.0})
    assert whole.placement("suites/a/test_x.py") == whole.placement("suites/a/test_y.py") == Placement("suites/a", 75.0)
