"""STRICT for the whole mesh: the direct entrance to the shop is closed, the gateway's is open."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.boutique.workloads import (
    ENVIRONMENT,
    MUTUAL,
    PLAIN,
    THROUGH_GATEWAY,
    direct_refused,
    outside_to_everyone,
    shop,
)

STAGE = Stage(
    "shop-mesh-wide-strict",
    title="Boutique: mesh-wide STRICT closes the direct entrance only",
    environment=ENVIRONMENT,
    apply=("boutique/mesh-wide-strict/mesh-wide.yaml",),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(PLAIN, reset()),),
)

CASES = [
    *direct_refused("BTQ-MESH-01", "whole mesh"),
    Case("BTQ-MESH-02", PLAIN, reset(), before=status(200), twin=MUTUAL),
    Case("BTQ-MESH-03", THROUGH_GATEWAY, shop(), before=shop()),
]

TABLES = [outside_to_everyone("X-BTQ-TABLE-06", reset(), before=status(200))]


def test_case(case, prove):
    prove(case)


def test_table(table, prove_table):
    prove_table(table)
