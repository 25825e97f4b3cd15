"""A token is demanded below /api/, except for the health path, on both ports of the gateway, and nowhere else.

While the policy spreads the two answers may alternate, and then only the refusal is seen.
"""

from __future__ import annotations

import pytest

from clients.case import Case
from clients.stage import Settle, Stage
from suites.front.door import ISTIO
from suites.front.matrix import path_cases, token_cases
from suites.front.places import BACKEND, GROUND, INSIDE, NO_TOKEN, POLICY, SHOWS_SECRET, call

STAGE = Stage("front-policy", ground=GROUND, apply=POLICY, settle=(Settle(call(), NO_TOKEN),))

QUIET_S = 30.0
"""How long no answer of before the policy may be seen (catalogue)."""

PRESENT = [
    *token_cases(ISTIO),
    *path_cases(ISTIO),
    Case("CRA-AUTH-11", INSIDE.get(f"http://{BACKEND}/api/secure.json"), SHOWS_SECRET, before=SHOWS_SECRET),
]

SETTLES = Case(
    "CRA-AUTH-02",
    call(),
    NO_TOKEN,
    before=SHOWS_SECRET,
    twin=call(token="valid"),
    twin_expect=SHOWS_SECRET,
    holds_s=QUIET_S,
)

CASES = [*PRESENT, SETTLES]


@pytest.mark.parametrize("case", PRESENT, ids=lambda case: case.id)
def test_case(case, prove):
    prove(case)


@pytest.mark.parametrize("case", [SETTLES], ids=lambda case: case.id)
def test_only_the_refusal_is_seen_from_then_on(case, prove):
    """Last, for it takes half a minute: it is under way from the first case on."""
    prove(case)
