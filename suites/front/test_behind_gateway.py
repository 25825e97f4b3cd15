"""The back end accepts requests from the gateway only: a request that bypasses the gateway is refused."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied
from clients.model.stage import Settle, Stage
from suites.front.workloads import BACKEND, ENVIRONMENT, INSIDE, SHOWS_SECRET, call

PAST = INSIDE.get(f"http://{BACKEND}/api/secure.json")

STAGE = Stage(
    "front-behind-gateway",
    title="The back end accepts requests from the gateway only",
    environment=ENVIRONMENT,
    apply=("front/jwt/backend-behind-gateway.yaml",),
    settle=(Settle(PAST, rbac_denied()),),
)

CASES = [
    Case("X-FRONT-PAST-01", PAST, rbac_denied(), before=SHOWS_SECRET, twin=call(), twin_expect=SHOWS_SECRET),
    Case("X-FRONT-PAST-02", call(), SHOWS_SECRET, before=SHOWS_SECRET),
]


def test_case(case, prove):
    prove(case)
