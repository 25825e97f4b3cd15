"""A token is demanded below /api/, except for the health path, on both ports of the gateway, and nowhere else."""

from __future__ import annotations

from clients.case import Case
from clients.stage import Settle, Stage
from suites.front.door import ISTIO
from suites.front.matrix import path_cases, singles, tables, token_cases
from suites.front.places import BACKEND, GROUND, INSIDE, NO_TOKEN, POLICY, SHOWS_SECRET, call

STAGE = Stage("front-policy", ground=GROUND, apply=POLICY, settle=(Settle(call(), NO_TOKEN),))

STATED = [*token_cases(ISTIO), *path_cases(ISTIO)]

CASES = [
    *singles(STATED),
    Case("CRA-AUTH-11", INSIDE.get(f"http://{BACKEND}/api/secure.json"), SHOWS_SECRET, before=SHOWS_SECRET),
]

TABLES = tables(STATED)


def test_case(case, prove):
    prove(case)


def test_table(table, prove_table):
    prove_table(table)
