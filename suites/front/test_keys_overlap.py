"""During a rotation the issuer publishes both keys: tokens signed by either pass."""

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
    WRONG_SIGNATURE,
    by_url,
    known,
)
from suites.front.workloads import SHOWS_SECRET, WRONG_AUDIENCE

STAGE = Stage(
    "front-keys-overlap",
    title="Key rotation: while both keys are published, both are accepted",
    needs=frozenset({"front-key", "key-fetch"}),
    environment=KEYS_ENVIRONMENT,
    apply=(by_url("old"), REQUIRE),
    replaced=(by_url("both"),),
    settle=(TOKEN_NEEDED, known(OLD)),
)

CASES = [
    Case("X-KEYS-03", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, variant="new key"),
    Case("X-KEYS-03", OLD, SHOWS_SECRET, before=SHOWS_SECRET, variant="old key"),
    Case("X-KEYS-02", FOREIGN, WRONG_SIGNATURE, before=SHOWS_SECRET, twin=NEXT, variant="foreign, during a rotation"),
    Case(
        "X-KEYS-02",
        OTHERS,
        WRONG_AUDIENCE,
        before=SHOWS_SECRET,
        twin=OLD,
        variant="another audience, during a rotation",
    ),
]


def test_case(case, prove):
    prove(case)
