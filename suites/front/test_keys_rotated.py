"""After the rotation the old key is withdrawn: its tokens are refused, although they have not expired."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Stage
from suites.front.keys import (
    KEYS_ENVIRONMENT,
    NEXT,
    NEXT_OTHERS,
    OLD,
    REQUIRE,
    TOKEN_NEEDED,
    UNKNOWN_KEY,
    by_url,
    known,
)
from suites.front.workloads import SHOWS_SECRET, WRONG_AUDIENCE

STAGE = Stage(
    "front-keys-rotated",
    title="Key rotation: a withdrawn key is refused",
    needs=frozenset({"front-key", "key-fetch"}),
    environment=KEYS_ENVIRONMENT,
    apply=(by_url("both"), REQUIRE),
    replaced=(by_url("next"),),
    settle=(TOKEN_NEEDED, known(OLD)),
)

CASES = [
    Case("X-KEYS-04", OLD, UNKNOWN_KEY, before=SHOWS_SECRET, twin=NEXT),
    Case("X-KEYS-03", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, variant="new key, after the rotation"),
    Case(
        "X-KEYS-02",
        NEXT_OTHERS,
        WRONG_AUDIENCE,
        before=SHOWS_SECRET,
        twin=NEXT,
        variant="another audience, after a rotation",
    ),
]


def test_case(case, prove):
    prove(case)
