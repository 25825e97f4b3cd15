"""What shows that a change has arrived: a stage that nothing would show is refused, with the line to add."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cluster_fakes import CLIENT

from clients.model import settling
from clients.model.case import Case
from clients.model.expect import body_contains, has_header, no_reply, rbac_denied, reset, status
from clients.model.outcome import OutcomeKind
from clients.model.stage import Scale, Settle, Stage, Step

pytestmark = pytest.mark.unit

IP, HEADERS = (CLIENT.get(f"http://httpbin.mtls-service:8000/{path}") for path in ("ip", "headers"))
STILL = Case("X-1", IP, status(200), before=status(200))
CHANGED = Case("X-2", HEADERS, rbac_denied(), before=status(200))
STAGE = Stage("s", apply=("policy.yaml",))


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (status(200), status(200), True),
        (status(200), status(403), False),
        (status(200), reset(), False),
        (no_reply(OutcomeKind.REFUSED, OutcomeKind.RESET), no_reply(OutcomeKind.RESET), True),
        (no_reply(OutcomeKind.REFUSED), no_reply(OutcomeKind.RESET), False),
        (status(200), status(200, body_contains("a")), True),
        (status(200, body_contains("a")), status(200, body_contains("a"), body_contains("b")), True),
        (status(200, has_header("x", "a")), status(200, has_header("x", "b")), False),
    ],
)
def test_two_expectations_may_be_of_one_outcome(one, other, both):
    assert settling.may_both_match(one, other) is both
    assert settling.may_both_match(other, one) is both


def test_a_stage_without_anything_to_settle_on_is_refused():
    problem = settling.problem(STAGE, [STILL])
    assert problem is not None
    assert "X-1" in problem[0]
    assert "settle=(Settle(" in problem[1]


@pytest.mark.parametrize(
    "stage",
    [
        replace(STAGE, apply=(), without=("route.yaml",)),
        replace(STAGE, apply=(), scaled=(Scale("n", "d", 0),)),
        replace(STAGE, apply=("a.yaml",), removed=("a.yaml",)),
        replace(STAGE, apply=("a.yaml",), replaced=("b.yaml",)),
    ],
)
def test_every_kind_of_change_needs_something_to_settle_on(stage):
    assert settling.problem(stage, [STILL]) is not None


def test_a_stage_that_changes_nothing_needs_nothing_to_settle_on():
    assert settling.problem(Stage("s"), [STILL]) is None


def test_cases_that_the_change_itself_changes_need_nothing_to_settle_on():
    assert settling.problem(STAGE, [CHANGED]) is None
    assert settling.problem(STAGE, [CHANGED, STILL]) is not None
    assert settling.problem(STAGE, [replace(CHANGED, before=None)]) is not None


def test_settling_on_what_the_state_before_answers_too_is_refused():
    stage = replace(STAGE, settle=(Settle(IP, status(200), before=status(200)),))
    problem = settling.problem(stage, [CHANGED])
    assert problem is not None
    assert "which the state before answers too" in problem[0]
    # the state before may be stated by a case
    assert settling.problem(replace(STAGE, settle=(Settle(IP, status(200)),)), [STILL]) is not None


def test_settling_without_a_state_before_is_refused():
    stage = replace(STAGE, settle=(Settle(IP, reset()),))
    problem = settling.problem(stage, [CHANGED])
    assert problem is not None
    assert "without saying what the state before answers" in problem[0]
    assert "before=" in problem[1]
    assert settling.problem(stage, [replace(CHANGED, probe=IP)]) is None


def test_beside_one_that_shows_the_change_others_may_be_settled_on():
    shows, holds = Settle(HEADERS, rbac_denied(), before=status(200)), Settle(IP, status(200))
    assert settling.problem(replace(STAGE, settle=(shows, holds)), [STILL]) is None


def test_a_step_needs_something_to_settle_on_as_well():
    step = Step("next", apply=("next.yaml",))
    stage = replace(STAGE, settle=(Settle(IP, reset(), before=status(200)),), steps=(step,))
    problem = settling.problem(stage, [replace(STILL, probe=HEADERS, step="next")])
    assert problem is not None
    assert "step next" in problem[0]
    # what the stage settled on is the state before the step: a case that differs from it shows the step itself
    assert settling.problem(stage, [replace(STILL, step="next")]) is None
    for expect, refused in ((reset(), True), (status(200), False)):
        settled = replace(stage, steps=(replace(step, settle=(Settle(IP, expect),)),))
        assert (settling.problem(settled, [replace(STILL, probe=HEADERS, step="next")]) is not None) is refused


def test_a_stage_does_not_settle_on_what_the_target_lacks():
    shut = Settle(IP, reset(), before=status(200), needs=frozenset({"network-policy"}))
    stage = replace(STAGE, settle=(shut, Settle(HEADERS, rbac_denied())))
    assert stage.on(["network-policy", "jwt"]) == stage
    assert stage.on(["jwt"]).settle == (Settle(HEADERS, rbac_denied()),)


def test_a_restart_is_a_change():
    stage = Stage("s", steps=(Step("again", restarts=True),))
    assert settling.problem(stage, [replace(STILL, step="again")]) is not None


def test_after_a_removal_a_case_is_changed_only_from_what_was_settled_on():
    stage = replace(STAGE, removed=("policy.yaml",), settle=(Settle(IP, reset(), before=status(200)),))
    [state] = settling.states(stage, [STILL, replace(STILL, control="X-3", probe=HEADERS)])
    assert [state.is_changed(case) for case in state.cases] == [True, False]
