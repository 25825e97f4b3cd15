"""Two issuers at one gateway: each may sign its own tokens, and neither those of the other."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Stage
from suites.front.keys import NEXT, OLD, OTHERS, REQUIRE, TOKEN_NEEDED, UNKNOWN_KEY, known
from suites.front.workloads import ENVIRONMENT, HTTP, OUTSIDE, SHOWS_SECRET, WRONG_AUDIENCE

STAGE = Stage(
    "front-keys-two-issuers",
    title="Two issuers: each one's key counts for its own tokens only",
    needs=frozenset({"front-key", "iap-key"}),
    environment=ENVIRONMENT,
    apply=("front/keys/two-issuers.yaml", REQUIRE),
    settle=(TOKEN_NEEDED, known(OLD)),
)


def of_the_other(kind):
    return OUTSIDE.get(f"{HTTP}/api/secure.json", token=f"{kind}@iap", behind="backend.api")


CASES = [
    Case("X-KEYS-07", OLD, SHOWS_SECRET, before=SHOWS_SECRET, variant="first issuer, its own key"),
    Case(
        "X-KEYS-07", of_the_other("next-key"), SHOWS_SECRET, before=SHOWS_SECRET, variant="second issuer, its own key"
    ),
    Case("X-KEYS-08", NEXT, UNKNOWN_KEY, before=SHOWS_SECRET, twin=OLD, variant="first issuer, key of the second"),
    Case(
        "X-KEYS-08",
        of_the_other("valid"),
        UNKNOWN_KEY,
        before=SHOWS_SECRET,
        twin=OLD,
        variant="second issuer, key of the first",
    ),
    Case("X-KEYS-08", OTHERS, WRONG_AUDIENCE, before=SHOWS_SECRET, twin=OLD, variant="first issuer, another audience"),
    Case(
        "X-KEYS-08",
        of_the_other("next-key-wrong-audience"),
        WRONG_AUDIENCE,
        before=SHOWS_SECRET,
        twin=of_the_other("next-key"),
        variant="second issuer, another audience",
    ),
]


def test_case(case, prove):
    prove(case)
