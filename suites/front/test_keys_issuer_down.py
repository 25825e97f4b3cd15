"""An issuer that does not answer and whose keys were never fetched: every one of its tokens is refused.

CVE-2026-31837: istiod put a key of its own in the place of the missing ones, of which everyone had the private part.
"""

from __future__ import annotations

import pytest

from clients.mesh import proxyconfig, sidecar
from clients.model.case import Case
from clients.model.stage import Stage
from suites.front.keys import FOREIGN, KEYS_ENVIRONMENT, OLD, REQUIRE, TOKEN_NEEDED, WRONG_SIGNATURE, by_url
from suites.front.workloads import GATEWAY, HEALTHY, SHOWS_SECRET, call

STAGE = Stage(
    "front-keys-issuer-down",
    title="Issuer down, keys never fetched: all its tokens are refused",
    needs=frozenset({"front-key", "key-fetch"}),
    environment=KEYS_ENVIRONMENT,
    apply=(by_url("down"), REQUIRE),
    settle=(TOKEN_NEEDED,),
)

HEALTH = call("/api/healthz")

CASES = [
    Case("X-KEYS-05", probe, WRONG_SIGNATURE, before=SHOWS_SECRET, twin=HEALTH, twin_expect=HEALTHY, variant=variant)
    for variant, probe in (("a good token", OLD), ("a foreign token", FOREIGN))
] + [Case("X-KEYS-06", HEALTH, HEALTHY, before=HEALTHY)]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("X-CVE-2026-31837-01", independent=True)
def test_no_proxy_holds_a_key_to_sign_with(observe, stage):
    rig = stage.rig

    def problem():
        for pod in rig.workloads.pods(GATEWAY):
            keys = proxyconfig.token_keys(sidecar.config_dump(rig.cluster, pod))
            if not keys:
                return f"{pod} checks no tokens"
            if private := [issuer for issuer, found in keys.items() if any(key.get("d") for key in found)]:
                return f"{pod} holds a private key for tokens of {', '.join(private)}"
        return None

    observe("X-CVE-2026-31837-01", "the gateway checks tokens, and holds public keys only", problem)
