"""What must hold at a gateway, configured by either API: its routes, and which tokens pass for which paths."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import has_header, lacks_header, rbac_denied, status
from clients.model.log_expectations import AccessLogExpectation
from suites.front.workloads import (
    ANOTHER_HOST,
    FROM_BACKEND,
    FRONTEND,
    HEALTHY,
    HTTP,
    HTTPS,
    INSIDE,
    NO_SUCH_PAGE,
    NO_TOKEN,
    NOT_FOUND,
    SHOWS_SECRET,
    SIGN_IN_PAGE,
    WRONG_AUDIENCE,
    bad_token,
)

BY_JWT_FILTER = (AccessLogExpectation(Proxy.CLIENT, details="jwt_authn_access_denied"),)
BY_POLICY = (AccessLogExpectation(Proxy.CLIENT, details="rbac_access_denied_matched_policy"),)

MALFORMED = "Jwt is not in the form of Header.Payload.Signature"
REFUSED_FOR = {
    "malformed": MALFORMED,
    "expired": "Jwt is expired",
    "just-expired": "Jwt is expired",
    "foreign-key": "Jwt verification fails",
}
ALSO_REFUSED_FOR = {
    "unknown-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "unsigned": MALFORMED,
    "signature-of-none": "Jwt header [alg] is not supported",
    "signed-with-public-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "not-yet-valid": "Jwt not yet valid",
    "soon-valid": "Jwt not yet valid",
    "longer-issuer": "Jwt issuer is not configured",
    "tampered": "Jwt verification fails",
    "other-signature": "Jwt verification fails",
}
ELSEWHERE = {
    "other scheme": "Authorization: Basic {}",
    "other header": "X-Token: {}",
    "cookie": "Cookie: token={}",
    "other parameter": "?token={}",
}
"""Places of a request in which no token is expected."""
METHODS = ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")

# The gateway normalizes a path (RFC 3986) before it authorizes and routes it; what still differs is another path.
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
    "health path's last element": "/api/secure.json/healthz",
}
TO_THE_FRONT_END = {
    "two slashes": "//api/secure.json",
    "escaped slash": "/api%2Fsecure.json",
    "upper case": "/API/secure.json",
    "parameter": "/api;/secure.json",
}
SLASHES = frozenset({"two slashes", "escaped slash"})
"""Those that lead to the secret as well where the mesh merges slashes."""

RECEIVED_TOKEN = "x-received-token"
"""The back end's header about the token that it received."""

OTHERWISE = {
    "another host": ({"base": ANOTHER_HOST}, SHOWS_SECRET),
    "host with its port": ({"base": f"{HTTP}:80"}, SHOWS_SECRET),
    "host with a full stop": ({"base": f"{HTTP}."}, SHOWS_SECRET),
    "another path": ({"path": "/api/v1/other"}, NO_SUCH_PAGE),
}
"""What the policy does not ask for, in a request for the back end, and what the back end answers."""


def open_cases(door):
    """Before any policy."""
    return [
        Case(door.control("CRA-ROUTE-01"), door.call(), SHOWS_SECRET),
        Case(door.control("CRA-ROUTE-02"), door.call("/", behind=FRONTEND), SIGN_IN_PAGE),
    ]


def token_cases(door):
    """A token is required below /api/: requests with a good one, and requests without."""
    call, denied = door.call, _denied(door)
    return [
        denied("CRA-AUTH-01", call(), NO_TOKEN, logged=BY_POLICY),
        Case(door.control("CRA-AUTH-03"), call(token="valid"), SHOWS_SECRET, before=SHOWS_SECRET),
        *(
            denied("CRA-AUTH-07", call(token=kind), bad_token(text), variant=kind, logged=BY_JWT_FILTER)
            for kind, text in REFUSED_FOR.items()
        ),
        denied("CRA-AUTH-08", call(token="wrong-issuer"), bad_token("Jwt issuer is not configured"), variant="issuer"),
        denied("CRA-AUTH-08", call(token="wrong-audience"), WRONG_AUDIENCE, variant="audience", logged=BY_JWT_FILTER),
        denied("CRA-AUTH-10", call(base=HTTPS), NO_TOKEN, twin=call(token="valid", base=HTTPS)),
        *(
            denied("X-FRONT-TOKEN-01", call(token=kind), bad_token(text), variant=kind, logged=BY_JWT_FILTER)
            for kind, text in ALSO_REFUSED_FOR.items()
        ),
        *(
            denied("X-FRONT-TOKEN-01", call(token=kind), WRONG_AUDIENCE, variant=kind)
            for kind in ("no-audience", "longer-audience")
        ),
        *(
            denied("X-FRONT-TOKEN-01", call(token="valid", token_as=how), NO_TOKEN, variant=variant)
            for variant, how in ELSEWHERE.items()
        ),
        *(_by_method(door, method) for method in METHODS),
        denied("X-FRONT-TOKEN-03", replace(call(), http2=True), NO_TOKEN, variant="HTTP/2"),
        *(_otherwise(door, variant, *how) for variant, how in OTHERWISE.items()),
        _otherwise(door, "from a pod of the mesh", {"base": door.inside, "source": INSIDE}, SHOWS_SECRET, logged=()),
        *(
            Case(door.control("X-FRONT-TOKEN-02"), call(token=kind), SHOWS_SECRET, before=SHOWS_SECRET, variant=kind)
            for kind in ("valid-es256", "two-audiences")
        ),
        Case(
            door.control("X-FRONT-TOKEN-02"),
            call(token="valid", token_as="?access_token={}"),
            SHOWS_SECRET,
            before=SHOWS_SECRET,
            variant="in the query",
        ),
        Case(
            door.control("X-FRONT-TOKEN-04"),
            call(token="valid"),
            status(200, *SHOWS_SECRET.checks, lacks_header(RECEIVED_TOKEN)),
            before=status(200, *SHOWS_SECRET.checks, has_header(RECEIVED_TOKEN, "Bearer")),
        ),
    ]


def path_cases(door):
    """Which paths require a token: neither the health path nor the front end, and no other spelling avoids it."""
    call, denied = door.call, _denied(door)
    health = call("/api/healthz")
    return [
        Case(door.control("CRA-AUTH-05"), health, HEALTHY, before=HEALTHY),
        Case(door.control("CRA-AUTH-06"), call("/", behind=FRONTEND), SIGN_IN_PAGE, before=SIGN_IN_PAGE),
        *(
            denied("CRA-AUTH-09", call(path), NO_TOKEN, variant=name, before=None)
            for name, path in TO_THE_SECRET.items()
        ),
        *(
            denied(
                "CRA-AUTH-09",
                call(path),
                NOT_FOUND,
                variant=name,
                before=NOT_FOUND,
                needs=frozenset({"slashes-kept"} if name in SLASHES else ()),
            )
            for name, path in TO_THE_FRONT_END.items()
        ),
        denied(
            "X-FRONT-EXEMPT-01",
            call("/api/healthz", "expired"),
            bad_token("Jwt is expired"),
            before=HEALTHY,
            twin=health,
            twin_expect=HEALTHY,
        ),
        Case(door.control("X-FRONT-EXEMPT-02"), call("/api/healthz?x=1"), HEALTHY, before=HEALTHY),
    ]


def _by_method(door, method):
    """A refusal of another method, whose answer to HEAD has no body."""
    answered = status(200, FROM_BACKEND) if method == "HEAD" else SHOWS_SECRET
    probe, twin = (replace(door.call(token=token), method=method) for token in ("", "valid"))
    stated = partial(Case, before=answered, twin=twin, twin_expect=answered, logged=BY_POLICY, variant=method)
    return stated(door.control("X-FRONT-TOKEN-03"), probe, rbac_denied(method))


def _otherwise(door, variant, how, answered, logged=BY_POLICY):
    """A refusal whose twin is the same request with a valid token."""
    probe, twin = (door.call(token=token, **how) for token in ("", "valid"))
    stated = partial(Case, before=answered, twin=twin, twin_expect=answered, variant=variant, logged=logged)
    return stated(door.control("X-FRONT-TOKEN-03"), probe, NO_TOKEN)


def _denied(door):
    """A refusal whose twin is the request with a valid token."""
    stated = partial(Case, before=SHOWS_SECRET, twin=door.call(token="valid"), twin_expect=SHOWS_SECRET)
    return lambda control, *case, **more: stated(door.control(control), *case, **more)
