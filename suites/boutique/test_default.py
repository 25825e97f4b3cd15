"""No policy anywhere: plaintext is accepted everywhere, and the shop is open both ways."""

from __future__ import annotations

from clients.case import Case
from clients.expect import status
from clients.stage import Stage
from suites.boutique.places import (
    DIRECT,
    GROUND,
    PLAIN,
    THROUGH_GATEWAY,
    everyone_to_everyone,
    outside_to_everyone,
    shop,
)

STAGE = Stage("shop-open", ground=GROUND)

CASES = [
    Case("BTQ-ACCESS-02", DIRECT, shop()),
    Case("BTQ-ACCESS-03", THROUGH_GATEWAY, shop()),
    Case("BTQ-ACCESS-04", PLAIN, status(200)),
]

TABLES = [
    everyone_to_everyone("X-BTQ-TABLE-01"),
    outside_to_everyone("X-BTQ-TABLE-02", status(200)),
]


def test_case(case, prove):
    prove(case)


def test_table(table, prove_table):
    prove_table(table)
