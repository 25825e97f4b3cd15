"""The back end accepts requests from the gateway only: a request that bypasses the gateway is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from clients.model.case import Case
from clients.model.expect import rbac_denied
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage
from suites.front.workloads import BACKEND, ENVIRONMENT, HEALTHY, INSIDE, NO_SUCH_PAGE, SHOWS_SECRET, call

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

HEADERS = (
    ("X-Forwarded-For", "198.51.100.7"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Client-Cert", "By=spiffe://forged;URI=spiffe://cluster.local/ns/gke-system/sa/istio-ingress"),
)
"""What the gateway adds to a request, as a pod of the mesh makes it up."""
WAYS = {
    "with the gateway's headers": replace(PAST, headers=HEADERS),
    "with a token": replace(PAST, token="valid@front"),
    "by another method": replace(PAST, method="POST"),
    **{f"by {method}": replace(PAST, method=method) for method in ("PUT", "DELETE", "OPTIONS")},
    "by HTTP/2": replace(PAST, http2=True),
}

CASES = [
    refused(PAST, twin=call(), twin_expect=SHOWS_SECRET),
    refused(PAST_BY_NEIGHBOUR, twin=call(), twin_expect=SHOWS_SECRET, variant="from the gateway's namespace"),
    Case("X-FRONT-PAST-02", call(), SHOWS_SECRET, before=SHOWS_SECRET),
    *(
        Case(
            "X-FRONT-PAST-03",
            way,
            rbac_denied(),
            before=SHOWS_SECRET,
            twin=call(),
            twin_expect=SHOWS_SECRET,
            variant=how,
        )
        for how, way in WAYS.items()
    ),
    *(
        Case(
            "X-FRONT-PAST-03",
            INSIDE.get(f"http://{BACKEND}{path}"),
            rbac_denied(),
            before=answered,
            twin=call(path),
            twin_expect=answered,
            variant=variant,
        )
        for path, answered, variant in (
            ("/api/healthz", HEALTHY, "for the health path"),
            ("/api/v1/other", NO_SUCH_PAGE, "another path"),
        )
    ),
]


def test_case(case, prove):
    prove(case)
