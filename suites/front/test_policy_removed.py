"""The policy deleted again: the API answers requests without a token, as before."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Settle, Stage
from suites.front.workloads import ENVIRONMENT, NO_TOKEN, POLICY, SHOWS_SECRET, call

STAGE = Stage(
    "front-policy-removed",
    title="Front door's policy deleted: the API answers without a token",
    environment=ENVIRONMENT,
    apply=POLICY,
    removed=POLICY,
    settle=(Settle(call(), NO_TOKEN),),
)

CASES = [Case("CRA-CLEAN-02", call(), SHOWS_SECRET, before=SHOWS_SECRET)]


def test_case(case, prove):
    prove(case)
