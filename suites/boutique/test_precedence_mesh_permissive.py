"""PERMISSIVE for the whole mesh: it counts where nothing narrower is set."""

from __future__ import annotations

from clients.expect import reset
from clients.stage import Settle, Stage
from suites.boutique import precedence
from suites.boutique.places import GROUND, OUTSIDE, url

STAGE = Stage(
    "precedence-mesh-permissive",
    ground=GROUND,
    apply=("boutique/mesh-wide-permissive/mesh-wide.yaml", *precedence.MANIFESTS),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(OUTSIDE.get(url("shipping")), reset()),),
)

TABLES = [precedence.table("X-BTQ-LEVEL-03", precedence.PERMISSIVE)]


def test_table(table, prove_table):
    prove_table(table)
