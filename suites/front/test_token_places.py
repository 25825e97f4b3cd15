"""A token in a named header, query parameter or cookie: accepted there and nowhere else."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.stage import Settle, Stage
from suites.front.keys import REQUIRE
from suites.front.workloads import ENVIRONMENT, NO_TOKEN, SHOWS_SECRET, WRONG_AUDIENCE, bad_token, call

STAGE = Stage(
    "front-token-places",
    title="Token accepted in a named header, query parameter or cookie only",
    environment=ENVIRONMENT,
    apply=("front/beyond/token-places.yaml", REQUIRE),
    settle=(Settle(call(), NO_TOKEN, before=SHOWS_SECRET),),
)

PLACES = {"header": "X-Token: {}", "query": "?token={}", "cookie": "Cookie: session={}"}
IN_HEADER = call(token="valid", token_as=PLACES["header"])

CASES = [
    *(
        Case("X-DOOR-TOKEN-01", call(token="valid", token_as=how), SHOWS_SECRET, before=SHOWS_SECRET, variant=place)
        for place, how in PLACES.items()
    ),
    *(
        Case(
            "X-DOOR-TOKEN-02",
            call(token="expired", token_as=how),
            bad_token("Jwt is expired"),
            before=SHOWS_SECRET,
            twin=call(token="valid", token_as=how),
            twin_expect=SHOWS_SECRET,
            variant=f"expired, {place}",
        )
        for place, how in PLACES.items()
    ),
    *(
        Case(
            "X-DOOR-TOKEN-02",
            call(token="valid", token_as=how),
            NO_TOKEN,
            before=SHOWS_SECRET,
            twin=IN_HEADER,
            twin_expect=SHOWS_SECRET,
            variant=variant,
        )
        for variant, how in {
            "where tokens usually are": "Authorization: Bearer {}",
            "another parameter": "?other={}",
            "the usual parameter": "?access_token={}",
            "another header": "X-Other: {}",
            "another cookie": "Cookie: other={}",
        }.items()
    ),
    Case(
        "X-DOOR-TOKEN-02",
        call(token="wrong-audience", token_as=PLACES["header"]),
        WRONG_AUDIENCE,
        before=SHOWS_SECRET,
        twin=IN_HEADER,
        twin_expect=SHOWS_SECRET,
        variant="for another audience",
    ),
]


def test_case(case, prove):
    prove(case)
