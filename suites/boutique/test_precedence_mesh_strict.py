"""STRICT for the whole mesh: it counts where nothing narrower is set."""

from __future__ import annotations

from clients.expect import reset
from clients.stage import Settle, Stage
from suites.boutique import precedence
from suites.boutique.places import GROUND, OUTSIDE, url

STAGE = Stage(
    "precedence-mesh-strict",
    ground=GROUND,
    apply=("boutique/mesh-wide-strict/mesh-wide.yaml", *precedence.MANIFESTS),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(OUTSIDE.get(url("shipping")), reset()),),
)

TABLES = [precedence.table("X-BTQ-LEVEL-02", precedence.STRICT)]


def test_table(table, prove_table):
    prove_table(table)
