"""As test_policy, at a gateway of Kubernetes' Gateway API; and the policy applies to one Gateway only."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Settle, Stage
from suites.front.door import GATEWAY_API
from suites.front.matrix import path_cases, token_cases
from suites.front.workloads import NO_TOKEN, SHOWS_SECRET, call

NO_TOKEN_SENT = GATEWAY_API.call()

STAGE = Stage(
    "front-gateway-api-policy",
    title="Gateway API: front door requires a token below /api/",
    environment=GATEWAY_API.environment,
    apply=GATEWAY_API.policy,
    needs=GATEWAY_API.needs,
    settle=(Settle(NO_TOKEN_SENT, NO_TOKEN),),
)

WITHOUT_SLASH = Case(
    "X-GWAPI-AUTH-09",
    GATEWAY_API.call("/api"),
    NO_TOKEN,
    twin=GATEWAY_API.call(token="valid"),
    twin_expect=SHOWS_SECRET,
    variant="no slash, which the route leads to the back end",
)

CASES = [
    *token_cases(GATEWAY_API),
    *path_cases(GATEWAY_API),
    WITHOUT_SLASH,
    Case("X-GWAPI-SCOPE-01", call(), SHOWS_SECRET, before=SHOWS_SECRET),
]


def test_case(case, prove):
    prove(case)
