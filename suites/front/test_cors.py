"""A page of another origin: its preflight needs no token, its request does."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import has_header, lacks_header, rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.front.workloads import (
    ENVIRONMENT,
    FROM_BACKEND,
    FROM_GATEWAY,
    NO_SUCH_PAGE,
    NO_TOKEN,
    SHOWS_SECRET,
    WRONG_AUDIENCE,
    call,
)

SITE, ORIGIN = "http://cors.example.com", "https://app.example.com"
ANONYMOUS = call(base=SITE)

STAGE = Stage(
    "front-cors",
    title="CORS: the preflight needs no token, the request does",
    environment=ENVIRONMENT,
    apply=("front/beyond/cors.yaml",),
    settle=(Settle(ANONYMOUS, NO_TOKEN),),
)


OF_OTHERS = {
    "another origin": "https://evil.example.com",
    "an origin that begins like the allowed one": f"{ORIGIN}.evil.test",
    "an origin that ends like the allowed one": "https://evil-app.example.com",
    "the allowed origin without TLS": "http://app.example.com",
    "the allowed origin at another port": f"{ORIGIN}:8443",
    "a page of no origin": "null",
}


def preflight(origin):
    headers = (
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    )
    return replace(ANONYMOUS, method="OPTIONS", headers=headers, answered_by=Proxy.CLIENT)


WITHOUT_COOKIES = lacks_header("access-control-allow-credentials")
ALLOWED = status(
    200,
    has_header("access-control-allow-origin", ORIGIN),
    has_header("access-control-allow-methods", "GET"),
    has_header("access-control-allow-headers", "authorization"),
    WITHOUT_COOKIES,
    FROM_GATEWAY,
)
WITH_TOKEN = replace(call(token="valid", base=SITE), headers=(("Origin", ORIGIN),))
READABLE = status(
    200,
    *SHOWS_SECRET.checks,
    has_header("access-control-allow-origin", ORIGIN),
    lacks_header("access-control-expose-headers"),
    WITHOUT_COOKIES,
)

WAYS = {
    "by another method": (replace(ANONYMOUS, method="POST"), SHOWS_SECRET),
    **{f"by {method}": (replace(ANONYMOUS, method=method), SHOWS_SECRET) for method in ("PUT", "PATCH", "DELETE")},
    "by HEAD": (replace(ANONYMOUS, method="HEAD"), status(200, FROM_BACKEND)),
    "another path": (call("/api/v1/other", base=SITE), NO_SUCH_PAGE),
    "over TLS": (call(base=SITE.replace("http:", "https:")), SHOWS_SECRET),
    "host with its port": (call(base=f"{SITE}:80"), SHOWS_SECRET),
}
"""Requests without a token that differ from a page's in what the policy does not ask for."""

CASES = [
    Case("X-DOOR-CORS-01", preflight(ORIGIN), ALLOWED, variant="preflight"),
    Case("X-DOOR-CORS-01", WITH_TOKEN, READABLE, variant="request with a token"),
    Case(
        "X-DOOR-CORS-02",
        ANONYMOUS,
        NO_TOKEN,
        before=SHOWS_SECRET,
        twin=WITH_TOKEN,
        twin_expect=READABLE,
        variant="request without a token",
    ),
    *(
        Case(
            "X-DOOR-CORS-02",
            way,
            rbac_denied(way.method),
            before=answered,
            twin=replace(way, token=WITH_TOKEN.token),
            twin_expect=answered,
            variant=f"request without a token, {variant}",
        )
        for variant, (way, answered) in WAYS.items()
    ),
    Case(
        "X-DOOR-CORS-02",
        replace(WITH_TOKEN, token="wrong-audience@front"),
        WRONG_AUDIENCE,
        twin=WITH_TOKEN,
        twin_expect=READABLE,
        variant="request with a token for another audience",
    ),
    *(
        Case(
            "X-DOOR-CORS-02",
            preflight(origin),
            status(200, lacks_header("access-control-allow-origin")),
            twin=preflight(ORIGIN),
            twin_expect=ALLOWED,
            variant=f"preflight of {variant}",
        )
        for variant, origin in OF_OTHERS.items()
    ),
]


def test_case(case, prove):
    prove(case)
