"""STRICT for the whole mesh, PERMISSIVE for team-x: the namespace's own policy wins there, and only there."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.egress.workloads import ENVIRONMENT, RAW_X, RAW_Y

STAGE = Stage(
    "egress-strict-overridden",
    title="Egress teams: PERMISSIVE for team-x overrides mesh-wide STRICT",
    environment=ENVIRONMENT,
    apply=("egress/strict/mesh-wide.yaml", "egress/strict/team-x-permissive.yaml"),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(RAW_X.get("http://test.team-y/"), reset(), before=status(200)),),  # elsewhere STRICT is in force
)

CASES = [
    Case("EGR-MTLS-02", RAW_Y.get("http://echo.team-x/ip"), status(200), before=status(200)),
]


def test_case(case, prove):
    prove(case)
