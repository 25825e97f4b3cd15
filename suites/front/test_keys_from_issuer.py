"""The gateway's keys are fetched from the issuer's URL."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Stage
from suites.front.keys import (
    FOREIGN,
    KEYS_ENVIRONMENT,
    NEXT,
    OLD,
    OTHERS,
    REQUIRE,
    TOKEN_NEEDED,
    UNKNOWN_KEY,
    WRONG_SIGNATURE,
    by_url,
    known,
)
from suites.front.workloads import SHOWS_SECRET, WRONG_AUDIENCE, bad_token, call

STAGE = Stage(
    "front-keys-from-issuer",
    title="Issuer's keys fetched from a URL: other keys are refused",
    needs=frozenset({"front-key", "key-fetch"}),
    environment=KEYS_ENVIRONMENT,
    apply=(by_url("old"), REQUIRE),
    settle=(TOKEN_NEEDED, known(OLD)),
)

UNKNOWN_ISSUER = bad_token("Jwt issuer is not configured")

CASES = [
    Case("X-KEYS-01", OLD, SHOWS_SECRET, before=SHOWS_SECRET),
    Case("X-KEYS-02", FOREIGN, WRONG_SIGNATURE, before=SHOWS_SECRET, twin=OLD, variant="foreign"),
    Case("X-KEYS-02", NEXT, UNKNOWN_KEY, before=SHOWS_SECRET, twin=OLD, variant="not yet published"),
    Case("X-KEYS-02", OTHERS, WRONG_AUDIENCE, before=SHOWS_SECRET, twin=OLD, variant="another audience"),
    Case(
        "X-KEYS-02",
        call(token="longer-issuer"),
        UNKNOWN_ISSUER,
        before=SHOWS_SECRET,
        twin=OLD,
        variant="another issuer",
    ),
]


def test_case(case, prove):
    prove(case)
