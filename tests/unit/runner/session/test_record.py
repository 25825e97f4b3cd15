"""The reason of a test that failed without evidence of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from plan_fakes import planned_test

from clients.model.errors import ClusterError, UnreadyError
from clients.model.evidence import Verdict
from runner.session import record
from runner.session.attach import plainly

pytestmark = pytest.mark.unit

FAILED = pytest.fail.Exception("after stage strict: Namespace mp-a is still there: example.com/never")
OTHER = ClusterError("Namespace mp-b is still there: custom.metrics.k8s.io/v1beta1", "remove it")


def torn_down(error: BaseException) -> str:
    report: Any = SimpleNamespace(when="teardown", failed=True, skipped=False, passed=False, longreprtext="a traceback")
    [evidence] = record.of_phase(planned_test("suites/a.py::test"), report, error, [], "gw0", lambda one: one)
    return evidence.reason


def test_a_group_of_errors_is_given_by_each_of_them() -> None:
    nested = BaseExceptionGroup("errors while tearing down <Module a>", [OTHER, FAILED])
    group = BaseExceptionGroup("errors during test teardown", [FAILED, nested])
    assert torn_down(group) == f"{FAILED}; {OTHER}"


def test_our_own_error_is_enough_and_any_other_has_its_type() -> None:
    assert torn_down(OTHER) == "Namespace mp-b is still there: custom.metrics.k8s.io/v1beta1; remove it"
    assert torn_down(KeyError("x")) == "KeyError: 'x'"


def test_a_stage_that_did_not_become_ready_is_explained_by_the_objects_that_keep_it_so() -> None:
    error = UnreadyError("Deployment sleep is not ready in time", "see the diagnostics")
    error.why = "NetworkPolicy mtls-client/shut lets nothing out"
    with pytest.raises(pytest.fail.Exception) as failed, plainly():
        raise error
    report: Any = SimpleNamespace(when="setup", failed=True, skipped=False, passed=False, longreprtext="a traceback")
    [evidence] = record.of_phase(planned_test("suites/a.py::test"), report, failed.value, [], "gw0", lambda one: one)
    assert (evidence.reason, evidence.why) == (str(error), error.why)
    assert evidence.verdict is Verdict.INCONCLUSIVE
