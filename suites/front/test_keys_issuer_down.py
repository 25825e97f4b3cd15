"""An issuer that does not answer and whose keys were never fetched: every one of its tokens is refused."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Stage
from suites.front.keys import FOREIGN, KEYS_ENVIRONMENT, OLD, REQUIRE, TOKEN_NEEDED, WRONG_SIGNATURE, by_url
from suites.front.workloads import HEALTHY, SHOWS_SECRET, call

STAGE = Stage(
    "front-keys-issuer-down",
    title="Issuer down, keys never fetched: all its tokens are refused",
    needs=frozenset({"front-key"}),
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
