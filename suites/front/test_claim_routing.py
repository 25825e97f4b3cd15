"""Routing by a claim: only a verified token leads to the back end; a header with its name does not."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import status
from clients.model.stage import Settle, Stage
from suites.front.workloads import ENVIRONMENT, NOT_FOUND, SHOWS_SECRET, WRONG_AUDIENCE, bad_token, call

BETA = "http://beta.example.com"
TESTER = call(token="valid", base=BETA)

STAGE = Stage(
    "front-claim-routing",
    title="Routing by a claim of a verified token",
    needs=frozenset({"front-key"}),
    environment=ENVIRONMENT,
    apply=("front/beyond/claim-routing.yaml",),
    settle=(Settle(call(base=BETA), NOT_FOUND), Settle(TESTER, SHOWS_SECRET)),
)

# No header may have such a name: the gateway refuses the request before it matches routes.
SPOOFED = replace(call(base=BETA), headers=(("@request.auth.claims.groups", "testers"),))
ELSEWHERE = {
    "no token": call(base=BETA),
    "another group": call(token="other-group", base=BETA),
    "a group whose name begins and ends alike": call(token="longer-group", base=BETA),
}

CASES = [
    Case("X-DOOR-CLAIM-01", TESTER, SHOWS_SECRET, before=SHOWS_SECRET),
    *(
        Case(
            "X-DOOR-CLAIM-02",
            probe,
            NOT_FOUND,
            before=SHOWS_SECRET,
            twin=TESTER,
            twin_expect=SHOWS_SECRET,
            variant=variant,
        )
        for variant, probe in ELSEWHERE.items()
    ),
    Case(
        "X-DOOR-CLAIM-02",
        SPOOFED,
        status(400),
        twin=TESTER,
        twin_expect=SHOWS_SECRET,
        variant="a header that looks like the claim",
    ),
    Case(
        "X-DOOR-CLAIM-02",
        call(token="foreign-key", base=BETA),
        bad_token("Jwt verification fails", base=BETA),
        before=SHOWS_SECRET,
        twin=TESTER,
        twin_expect=SHOWS_SECRET,
        variant="a forged token",
    ),
    Case(
        "X-DOOR-CLAIM-02",
        call(token="wrong-audience", base=BETA),
        WRONG_AUDIENCE,
        before=SHOWS_SECRET,
        twin=TESTER,
        twin_expect=SHOWS_SECRET,
        variant="a token for another audience",
    ),
]


def test_case(case, prove):
    prove(case)
