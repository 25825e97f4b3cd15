"""Each mutant of the shop costs the right cells of its tables their pass, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kills import FAIL, PASS, Kill, cases, is_killed, spoilt

from suites.boutique.workloads import SERVICES

pytestmark = pytest.mark.e2e

BUDGET = ("--budget", "12")
"""Eleven cells of a table take turns at one client."""
TABLE = "X-BTQ-TABLE-04"
"""STRICT in eleven namespaces, and a pod without sidecar that must reach none of them."""


def table_but(namespace: str) -> dict[str, str]:
    """Every cell passes but one."""
    return {f"{TABLE}[outside to {name}]": FAIL if name == namespace else PASS for name in SERVICES}


KILLS = [
    Kill(
        "namespace-forgotten",
        table_but("shipping") | cases("BTQ-NS-04", PASS) | cases("BTQ-NS-01 08", FAIL),
        {
            f"{TABLE}[outside to shipping]": "expected 000 reset (56), saw 200",
            "BTQ-NS-01": "10 listed; missing",
            "BTQ-NS-08": "shippingservice",
        },
    ),
    Kill(
        "opted-out-by-port",
        table_but("payment") | cases("BTQ-NS-01 08", FAIL),
        {f"{TABLE}[outside to payment]": "expected 000 reset (56), saw 200", "BTQ-NS-01": "opt-out"},
    ),
    Kill(
        "plaintext-by-rule",
        table_but("cart") | cases("BTQ-NS-04 05 06", FAIL) | cases("X-BTQ-MOVE-01", FAIL),
        {
            f"{TABLE}[outside to cart]": "twin: X-BTQ-TABLE-03 expected 200, saw 503",
            "BTQ-NS-06": "saw 500",
            "X-BTQ-MOVE-01": "requests failed",
        },
    ),
    Kill(
        "namespace-not-injected",
        table_but("email") | cases("BTQ-NS-01", PASS) | cases("BTQ-NS-08", FAIL),
        {f"{TABLE}[outside to email]": "expected 000 reset (56), saw 200", "BTQ-NS-08": "has no sidecar"},
    ),
    Kill(
        "policy-in-neighbour",
        table_but("currency") | cases("BTQ-NS-01 08", FAIL),
        {f"{TABLE}[outside to currency]": "expected 000 reset (56), saw 200", "BTQ-NS-01": "outside"},
    ),
]


@pytest.mark.parametrize("kill", KILLS, ids=[kill.mutant for kill in KILLS])
def test_mutant_is_killed(kill: Kill, tmp_path: Path) -> None:
    ran = spoilt(tmp_path, replace(kill, suite="suites/boutique", words=BUDGET))
    is_killed(ran, kill)
