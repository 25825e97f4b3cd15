"""The back end accepts requests from the gateway only: a request that bypasses the gateway is refused."""

from __future__ import annotations

from functools import partial

from clients.model.case import Case
from clients.model.expect import rbac_denied
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage
from suites.front.workloads import BACKEND, ENVIRONMENT, INSIDE, SHOWS_SECRET, call

NEIGHBOUR = Workload("gke-system", "neighbour", "sleep")
"""In the gateway's namespace, by an account of its own."""
PAST = INSIDE.get(f"http://{BACKEND}/api/secure.json")
PAST_BY_NEIGHBOUR = NEIGHBOUR.get(f"http://{BACKEND}/api/secure.json")

STAGE = Stage(
    "front-behind-gateway",
    title="The back end accepts requests from the gateway only",
    environment=(*ENVIRONMENT, "front/neighbour"),
    apply=("front/jwt/backend-behind-gateway.yaml",),
    settle=(Settle(PAST, rbac_denied()),),
)

refused = partial(Case, "X-FRONT-PAST-01", expect=rbac_denied(), before=SHOWS_SECRET)

CASES = [
    refused(PAST, twin=call(), twin_expect=SHOWS_SECRET),
    refused(PAST_BY_NEIGHBOUR, twin=call(), twin_expect=SHOWS_SECRET, variant="from the gateway's namespace"),
    Case("X-FRONT-PAST-02", call(), SHOWS_SECRET, before=SHOWS_SECRET),
]


def test_case(case, prove):
    prove(case)
