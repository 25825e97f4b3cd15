"""After the clean-up: the gateway has no route to the API any more."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import status
from clients.model.stage import Stage
from suites.front.workloads import BACKEND, ENVIRONMENT, FROM_GATEWAY, INSIDE, SHOWS_SECRET, call

STAGE = Stage(
    "front-cleaned-up",
    title="Front door's routes deleted: the gateway answers 404",
    environment=ENVIRONMENT,
    without=("front/routes/cloud-run-gke-auth.yaml",),
)

STILL_THERE = INSIDE.get(f"http://{BACKEND}/api/secure.json")
"""The back end itself: its log shows this request, and so that the other did not arrive."""

CASES = [
    Case(
        "CRA-CLEAN-01",
        call(),
        status(404, FROM_GATEWAY),
        before=SHOWS_SECRET,
        twin=STILL_THERE,
        twin_expect=SHOWS_SECRET,
    )
]


def test_case(case, prove):
    prove(case)
