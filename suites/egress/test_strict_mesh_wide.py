"""STRICT for the whole mesh: a team's workload refuses plaintext."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.egress.workloads import ENVIRONMENT, RAW_Y, TEST_X

PLAINTEXT = RAW_Y.get("http://echo.team-x/ip")
STAGE = Stage(
    "egress-strict-mesh-wide",
    title="Egress teams: mesh-wide STRICT refuses plaintext to team-x",
    environment=ENVIRONMENT,
    apply=("egress/strict/mesh-wide.yaml",),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(PLAINTEXT, reset()),),
)

CASES = [
    Case("EGR-MTLS-01", PLAINTEXT, reset(), before=status(200), twin=TEST_X.get("http://echo.team-x/ip")),
]


def test_case(case, prove):
    prove(case)
