"""A token is demanded below /api/, except for the health path, on both ports of the gateway, and nowhere else."""

from __future__ import annotations

from functools import partial

from clients.case import Case, Logged, Proxy
from clients.expect import body_contains, status
from clients.stage import Settle, Stage
from suites.front.places import (
    BACKEND,
    FROM_NOBODY,
    FRONTEND,
    GROUND,
    HEALTHY,
    HTTPS,
    INSIDE,
    NO_TOKEN,
    NOT_FOUND,
    POLICY,
    SHOWS_SECRET,
    SIGN_IN_PAGE,
    bad_token,
    call,
)

STAGE = Stage("front-policy", ground=GROUND, apply=POLICY, settle=(Settle(call(), NO_TOKEN),))

VALID = call(token="valid")
HEALTH = call("/api/healthz")


denied = partial(Case, before=SHOWS_SECRET, twin=VALID, twin_expect=SHOWS_SECRET)
BY_JWT_FILTER = (Logged(Proxy.CLIENT, details="jwt_authn_access_denied"),)
BY_POLICY = (Logged(Proxy.CLIENT, details="rbac_access_denied_matched_policy"),)

MALFORMED = "Jwt is not in the form of Header.Payload.Signature"
REFUSED_FOR = {
    "malformed": MALFORMED,
    "expired": "Jwt is expired",
    "foreign-key": "Jwt verification fails",
}
ALSO_REFUSED_FOR = {
    "unknown-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "unsigned": MALFORMED,
    "signature-of-none": "Jwt header [alg] is not supported",
    "signed-with-public-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "not-yet-valid": "Jwt not yet valid",
    "tampered": "Jwt verification fails",
    "other-signature": "Jwt verification fails",
}
WRONG_AUDIENCE = status(403, body_contains("Audiences in Jwt are not allowed"), FROM_NOBODY)

# The gateway tidies a path up (RFC 3986) before it judges it and routes it; what still differs is another path.
TO_THE_SECRET = {
    "query": "/api/secure.json?x=1",
    "dots": "/api/healthz/../secure.json",
    "dots, escaped": "/api/healthz/%2e%2e/secure.json",
    "dots, from the front end": "/x/../api/secure.json",
    "dot": "/api/./secure.json",
    "back slash": "/api\\secure.json",
    "two slashes below": "/api//secure.json",
    "escaped letter": "/api/secur%65.json",
    "slash after the health path": "/api/healthz/",
    "full stop after the health path": "/api/healthz.",
    "escaped slash after the health path": "/api/healthz%2F..%2Fsecure.json",
    "parameter after the health path": "/api/healthz;/../secure.json",
    "health path in upper case": "/api/HEALTHZ",
}
TO_THE_FRONT_END = {
    "two slashes": "//api/secure.json",
    "escaped slash": "/api%2Fsecure.json",
    "upper case": "/API/secure.json",
    "parameter": "/api;/secure.json",
}

CASES = [
    denied("CRA-AUTH-01", call(), NO_TOKEN, logged=BY_POLICY),
    Case("CRA-AUTH-03", VALID, SHOWS_SECRET, before=SHOWS_SECRET),
    *(
        denied("CRA-AUTH-07", call(token=kind), bad_token(text), variant=kind, logged=BY_JWT_FILTER)
        for kind, text in REFUSED_FOR.items()
    ),
    denied("CRA-AUTH-08", call(token="wrong-issuer"), bad_token("Jwt issuer is not configured"), variant="issuer"),
    denied("CRA-AUTH-08", call(token="wrong-audience"), WRONG_AUDIENCE, variant="audience", logged=BY_JWT_FILTER),
    Case("CRA-AUTH-05", HEALTH, HEALTHY, before=HEALTHY),
    Case("CRA-AUTH-06", call("/", behind=FRONTEND), SIGN_IN_PAGE, before=SIGN_IN_PAGE),
    *(denied("CRA-AUTH-09", call(path), NO_TOKEN, variant=name, before=None) for name, path in TO_THE_SECRET.items()),
    *(
        denied("CRA-AUTH-09", call(path), NOT_FOUND, variant=name, before=NOT_FOUND)
        for name, path in TO_THE_FRONT_END.items()
    ),
    denied("CRA-AUTH-10", call(base=HTTPS), NO_TOKEN, twin=call(token="valid", base=HTTPS)),
    Case("CRA-AUTH-11", INSIDE.get(f"http://{BACKEND}/api/secure.json"), SHOWS_SECRET, before=SHOWS_SECRET),
    *(
        denied("X-FRONT-TOKEN-01", call(token=kind), bad_token(text), variant=kind, logged=BY_JWT_FILTER)
        for kind, text in ALSO_REFUSED_FOR.items()
    ),
    denied("X-FRONT-TOKEN-01", call(token="no-audience"), WRONG_AUDIENCE, variant="no-audience"),
    denied(
        "X-FRONT-TOKEN-01", call(token="valid", token_as="Authorization: Basic {}"), NO_TOKEN, variant="other scheme"
    ),
    denied("X-FRONT-TOKEN-01", call(token="valid", token_as="X-Token: {}"), NO_TOKEN, variant="other header"),
    *(
        Case("X-FRONT-TOKEN-02", call(token=kind), SHOWS_SECRET, before=SHOWS_SECRET, variant=kind)
        for kind in ("valid-es256", "two-audiences")
    ),
    Case(
        "X-FRONT-TOKEN-02",
        call(token="valid", token_as="?access_token={}"),
        SHOWS_SECRET,
        before=SHOWS_SECRET,
        variant="in the query",
    ),
    denied(
        "X-FRONT-EXEMPT-01",
        call("/api/healthz", "expired"),
        bad_token("Jwt is expired"),
        before=HEALTHY,
        twin=HEALTH,
        twin_expect=HEALTHY,
    ),
    Case("X-FRONT-EXEMPT-02", call("/api/healthz?x=1"), HEALTHY, before=HEALTHY),
]


def test_case(case, prove):
    prove(case)
