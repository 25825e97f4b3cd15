"""STRICT for the whole mesh, deleted again."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.boutique.workloads import ENVIRONMENT, PLAIN

CHANGE = ("boutique/mesh-wide-strict/mesh-wide.yaml",)
STAGE = Stage(
    "shop-mesh-wide-removed",
    title="Boutique: mesh-wide STRICT deleted, plaintext works again",
    environment=ENVIRONMENT,
    apply=CHANGE,
    removed=CHANGE,
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(PLAIN, reset()),),
)

CASES = [Case("BTQ-MESH-05", PLAIN, status(200), before=status(200))]


def test_case(case, prove):
    prove(case)
