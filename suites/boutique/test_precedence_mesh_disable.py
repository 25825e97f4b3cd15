"""DISABLE for the whole mesh: it counts where nothing narrower is set."""

from __future__ import annotations

from clients.expect import reset
from clients.stage import Settle, Stage
from suites.boutique import precedence
from suites.boutique.places import GROUND, OUTSIDE, url

STAGE = Stage(
    "precedence-mesh-disable",
    ground=GROUND,
    apply=("boutique/mesh-wide-disable", *precedence.MANIFESTS),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(OUTSIDE.get(url("shipping")), reset()),),
)

TABLES = [precedence.table("X-BTQ-LEVEL-04", precedence.DISABLE)]


def test_table(table, prove_table):
    prove_table(table)
