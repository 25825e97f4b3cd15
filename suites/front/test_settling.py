"""The policy as it spreads: the two answers may alternate for a while, and then only the refusal is seen."""

from __future__ import annotations

from clients.case import Case
from clients.stage import Stage
from suites.front.places import GROUND, NO_TOKEN, POLICY, SHOWS_SECRET, call

STAGE = Stage("front-settling", ground=GROUND, apply=POLICY)

QUIET_S = 30.0
"""How long no answer of before the policy may be seen (catalogue)."""

CASES = [
    Case(
        "CRA-AUTH-02",
        call(),
        NO_TOKEN,
        before=SHOWS_SECRET,
        twin=call(token="valid"),
        twin_expect=SHOWS_SECRET,
        holds_s=QUIET_S,
    )
]


def test_case(case, prove):
    prove(case)
