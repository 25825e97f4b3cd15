"""The workload's policy and its destination rule deleted again: plaintext is accepted as before."""

from __future__ import annotations

import pytest

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.boutique.objects import policies_problem, rules_of_frontend
from suites.boutique.workloads import ENVIRONMENT, PLAIN

CHANGE = ("boutique/workload-strict/frontend.yaml", "boutique/workload-strict/rule-as-printed.yaml")
STAGE = Stage(
    "one-workload-removed",
    title="Boutique: the frontend's STRICT policy deleted again",
    environment=ENVIRONMENT,
    apply=CHANGE,
    removed=CHANGE,
    settle=(Settle(PLAIN, reset()),),
)

CASES = [Case("BTQ-WL-08", PLAIN, status(200), before=status(200))]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("X-BTQ-WL-01")
def test_neither_object_is_left(observe, stage):
    rig = stage.rig

    def problem():
        return policies_problem(rig, {}) or ("a destination rule is left" if rules_of_frontend(rig) else None)

    observe("X-BTQ-WL-01", "neither policy nor destination rule in the frontend's namespace", problem)
