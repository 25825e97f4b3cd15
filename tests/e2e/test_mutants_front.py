"""Each mutant of the front door costs the right controls their pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kills import FAIL, PASS, Kill, cases, is_killed, spoilt

from suites.front import test_keys_rotation
from suites.front.matrix import TO_THE_FRONT_END, TO_THE_SECRET

pytestmark = pytest.mark.e2e

REFUSED_TOKENS = {f"CRA-AUTH-07[{kind}]": FAIL for kind in ("malformed", "expired", "foreign-key")}
TOO_WIDE = tuple(f"{what} after the health path" for what in ("slash", "full stop", "escaped slash"))
TRICKS = {f"CRA-AUTH-09[{name}]": FAIL if name in TOO_WIDE else PASS for name in TO_THE_SECRET | TO_THE_FRONT_END}

ROTATION = tuple(case.id for case in test_keys_rotation.CASES if case.control in ("X-KEYS-09", "X-KEYS-10"))
PATIENTLY = ("--budget", "8")
"""istiod asks for keys every second, and its proxies have to find it again first."""
NOT_SHOWN = ("no header", "another value", "dots in the path")
CALLS = ("X-GRPC-02", "X-GRPC-02[over TLS]", "X-GRPC-02[in other metadata]")

KILLS = [
    Kill("token-not-demanded", cases("CRA-AUTH-01 03", FAIL), {"CRA-AUTH-01": "settled 1"}),
    Kill("exempt-too-wide", cases("CRA-AUTH-05", PASS) | TRICKS, {f"CRA-AUTH-09[{TOO_WIDE[0]}]": "saw 404"}),
    Kill(
        "one-port-only",
        cases("CRA-AUTH-01", PASS) | cases("CRA-AUTH-10", FAIL),
        {"CRA-AUTH-10": "saw 200"},
    ),
    Kill(
        "any-audience",
        {"CRA-AUTH-08[issuer]": PASS, "CRA-AUTH-08[audience]": FAIL},
        {"CRA-AUTH-08[audience]": "saw 200"},
    ),
    Kill("keys-swapped", cases("CRA-AUTH-03", FAIL) | REFUSED_TOKENS, {"CRA-AUTH-07[expired]": "twin: CRA-AUTH-03"}),
    Kill("gateway-policy-elsewhere", cases("CRA-AUTH-01", FAIL), {"CRA-AUTH-01": "settled 1"}),
    Kill(
        "refused-further-in", cases("CRA-AUTH-01", FAIL) | cases("CRA-AUTH-03", PASS), {"CRA-AUTH-01": "an entry has"}
    ),
    Kill("past-the-gateway", cases("X-FRONT-PAST-01 02", FAIL), {"X-FRONT-PAST-01": "settled 1"}),
    Kill("route-too-wide", cases("CRA-ROUTE-01", PASS) | cases("CRA-ROUTE-03", FAIL), {"CRA-ROUTE-03": "x-served-by"}),
    Kill(
        "fails-open",
        {f"X-KEYS-05[a {kind} token]": FAIL for kind in ("good", "foreign")},
    ),
    Kill("old-key-stays", cases("X-KEYS-04", FAIL), {"X-KEYS-04": "saw 200"}),
    Kill(
        "old-key-published",
        dict.fromkeys(ROTATION, PASS) | {"X-KEYS-10[old key, too late]": FAIL, "X-KEYS-10[old key, issuer down]": FAIL},
        {"X-KEYS-10[old key, too late]": "saw 200"},
        PATIENTLY,
    ),
    Kill(
        "keys-inline",
        dict.fromkeys(ROTATION, FAIL) | dict.fromkeys(ROTATION[:2], PASS),
        {"X-KEYS-09[next key, with the old one]": "settled 3"},
        PATIENTLY,
    ),
    Kill(
        "condition-inverted",
        {"X-IAP-CLAIM-01[group, access level and device]": FAIL, "X-IAP-CLAIM-01[one claim of a list]": FAIL},
    ),
    Kill("header-not-stripped", cases("X-IAP-HEADER-02", FAIL), {"X-IAP-HEADER-02": "received header"}),
    Kill(
        "sidecar-bypassed",
        {"X-IAP-PSP-01": PASS, "X-IAP-PSP-02": FAIL, "IAP-PSP-01": FAIL},
        {"X-IAP-PSP-02": "saw 200"},
    ),
    Kill(
        "ext-authz-not-asked",
        cases("X-CUSTOM-06", FAIL) | {f"X-CUSTOM-02[{variant}]": FAIL for variant in NOT_SHOWN},
        {"X-CUSTOM-02[no header]": "settled 1"},
    ),
    Kill(
        "ext-authz-fails-open",
        {f"X-CUSTOM-05[what it would {verb}]": FAIL for verb in ("allow", "refuse")},
        {"X-CUSTOM-05[what it would refuse]": "saw 200"},
    ),
    Kill("grpc-not-guarded", dict.fromkeys(CALLS, FAIL), {"X-GRPC-02": "settled 1"}),
    Kill(
        "grpc-method-misspelt",
        dict.fromkeys(CALLS, PASS) | {"X-GRPC-04": FAIL, "X-GRPC-04[dots in the path]": FAIL},
        {"X-GRPC-04": "saw 200 OK (0)"},
    ),
    Kill(
        "websocket-not-guarded",
        {"X-WS-02": FAIL, "X-WS-02[over TLS]": FAIL},
        {"X-WS-02": "settled 1"},
    ),
    Kill("attached-elsewhere", cases("X-GWAPI-AUTH-01 03", FAIL), {"X-GWAPI-AUTH-01": "settled 1"}),
    Kill("any-header", cases("IAP-RCT-03", PASS) | cases("IAP-RCT-05", FAIL), {"IAP-RCT-05": "saw 200"}),
]


@pytest.mark.parametrize("kill", KILLS, ids=[kill.mutant for kill in KILLS])
def test_mutant_is_killed(kill: Kill, tmp_path: Path) -> None:
    suite = "suites/iap" if "IAP-" in next(iter(kill.verdicts)) else "suites/front"
    ran = spoilt(tmp_path, replace(kill, suite=suite))
    is_killed(ran, kill)
