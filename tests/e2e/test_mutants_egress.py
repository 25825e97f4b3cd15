"""Each mutant of egress costs the right controls their pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kills import FAIL, LOST, PASS, Kill, cases, is_killed, spoilt

pytestmark = pytest.mark.e2e

KILLS = [
    Kill(
        "gateway-unguarded",
        cases("EGR-AUTHZ-01 02 03 06 07", FAIL),
        {"EGR-AUTHZ-02": "settled 1: expected 403"},
    ),
    Kill(
        "stale-gateway",
        cases("EGR-AUTHZ-01", PASS) | cases("EGR-AUTHZ-02 03 06 07", FAIL),
        {"EGR-AUTHZ-02": "expected 403"},
    ),
    Kill(
        "certificate-not-verified",
        cases("EGR-ORIG-01", PASS) | {f"EGR-ORIG-04[{kind}]": FAIL for kind in ("untrusted", "wrong-name", "expired")},
        {"EGR-ORIG-04[untrusted]": "saw 200"},
    ),
    Kill(
        "exported-to-all",
        cases("EGR-TENANT-01 02", PASS) | cases("EGR-TENANT-03 04 05", FAIL),
        {"EGR-TENANT-03": "expected 502", "EGR-TENANT-05": "example.com is configured"},
    ),
    Kill(
        "out-anywhere",
        cases("EGR-SIDECAR-02 03 04", FAIL),
        {"EGR-SIDECAR-02": "settled 1", "EGR-SIDECAR-03": "settled 1"},
    ),
    Kill(
        "pass-through-terminated",
        cases("EGR-PASS-01 02", PASS)
        | cases("EGR-PASS-03", FAIL)
        | {"EGR-PASS-09[seen by the server]": PASS, "EGR-PASS-09": FAIL},
        {"EGR-PASS-03": "an entry has", "EGR-PASS-09": "the application sees"},
    ),
    Kill(
        "around-the-gateway",
        cases("EGR-ROUTE-01", PASS)
        | cases("EGR-ROUTE-02", FAIL)
        | cases("EGR-ROUTE-03", LOST)
        | cases("EGR-ROUTE-04 05", FAIL),
        {"EGR-ROUTE-05": "which is not the gateway"},
    ),
    Kill(
        "names-lead-elsewhere",
        cases("EGR-ROUTE-01", PASS) | cases("EGR-ROUTE-02 03 05", FAIL),
        {"EGR-ROUTE-05": "which is not an address of example.com"},
    ),
    Kill(
        "external-host-down",
        cases("EGR-TENANT-01 02 03", FAIL),
        {"EGR-TENANT-01": "expected 200", "EGR-TENANT-03": "twin: EGR-TENANT-01 expected 200"},
    ),
    Kill("policy-engine-stopped", cases("EGR-NETPOL-05", FAIL), {"EGR-NETPOL-05": "expected 000 dns (6)"}),
]


@pytest.mark.parametrize("kill", KILLS, ids=[kill.mutant for kill in KILLS])
def test_mutant_is_killed(kill: Kill, tmp_path: Path) -> None:
    ran = spoilt(tmp_path, replace(kill, suite="suites/egress", words=("--budget", "8")))
    is_killed(ran, kill)
