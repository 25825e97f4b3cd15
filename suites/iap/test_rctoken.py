"""The gateway requires IAP's token: for its audience, in its header, except on the readiness path."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import jwt
import pytest

from clients.identity.claims import USER
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import echoed_header, echoes_header, echoes_no_header, rbac_denied, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Settle, Stage
from clients.model.token import BEARER
from suites.iap.workloads import (
    ELSEWHERE,
    ENVIRONMENT,
    FROM_GATEWAY,
    INSIDE_SITE,
    NO_TOKEN,
    OUTSIDE,
    PAGE,
    PRODUCTPAGE,
    RCTOKEN,
    SITE,
    echo,
    page,
    refused,
)
from suites.lab.workloads import XFCC, spiffe

STAGE = Stage(
    "iap-rctoken",
    title="Gateway requires IAP's token, for its audience and in its header",
    environment=ENVIRONMENT,
    prefetch=("iap/restricted", "iap/pod-security"),
    apply=RCTOKEN,
    settle=(Settle(page(), NO_TOKEN),),
)

VALID = page("valid")
BY_JWT_FILTER = (AccessLogExpectation(Proxy.CLIENT, details="jwt_authn_access_denied", upstream="-"),)
REFUSED_FOR = {
    "foreign-key": "Jwt verification fails",
    "wrong-issuer": "Jwt issuer is not configured",
    "expired": "Jwt is expired",
    "just-expired": "Jwt is expired",
    "soon-valid": "Jwt not yet valid",
}
FORGED_TOKENS = {
    "unknown-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "unsigned": "Jwt is not in the form of Header.Payload.Signature",
    "signature-of-none": "Jwt header [alg] is not supported",
    "tampered": "Jwt verification fails",
    "longer-issuer": "Jwt issuer is not configured",
}
ELSEWHERE_SENT = {
    "by another scheme": "ingress-authorization: Bearer {}",
    "in the query": "?access_token={}",
    "in a cookie": "Cookie: token={}",
}
NO_SUCH_ROUTE = status(404, FROM_GATEWAY)
ANY_ECHO = status(200)

SPOOFED = "admin@example.com"
USER_HEADER = "X-User-Email"
OF_IAP = {
    "X-Goog-Authenticated-User-Email": f"accounts.google.com:{SPOOFED}",
    "X-Goog-Authenticated-User-Id": "accounts.google.com:1",
    "X-Goog-IAP-JWT-Assertion": "made-up",
}
"""Headers about the user that IAP sends besides its token, as a client makes them up."""

denied = partial(Case, before=PAGE, twin=VALID, twin_expect=PAGE)


def at(path, site=SITE):
    return OUTSIDE.get(f"{site}{path}", behind=PRODUCTPAGE)


WITH_SPOOFED = echo("valid", headers=((USER_HEADER, SPOOFED),))
SPOOFED_TWICE = echo("valid", headers=((USER_HEADER, USER), (USER_HEADER, SPOOFED)))

FORGED = echo("valid", headers=((XFCC, "By=spiffe://forged;URI=spiffe://forged"),))
GATEWAYS, ECHOS = spiffe("iap-ingress", "istio-ingressgateway"), spiffe("bookinfo", "echo")
OF_GATEWAY = rf'By={ECHOS};Hash=[0-9a-f]{{64}};Subject="[^"]*";URI={GATEWAYS}'
"""One element, about the connection from the gateway; a second one would be the client's."""

EVERY = {
    **{
        method: replace(page(), method=method)
        for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")
    },
    "HTTP/2": replace(page(), http2=True),
    "another path": at("/api/v1/products"),
    "static files": at("/static/style.css"),
    "sign-in": at("/login"),
    "sign-out": at("/logout"),
    "from a pod": ELSEWHERE.get(f"{INSIDE_SITE}/productpage", behind=PRODUCTPAGE),
    "exempt path at its end": at("/api/v1/products/healthz/ready"),
    "another host": at("/productpage", "http://other.example.net"),
    "host with its port": at("/productpage", f"{SITE}:80"),
    "host with a full stop": at("/productpage", f"{SITE}."),
}
"""Requests that differ from a user's in what the policy does not ask for."""

READY = OUTSIDE.get(f"{SITE}:15021/healthz/ready", answered_by=Proxy.CLIENT)

CASES = [
    Case("IAP-RCT-01", VALID, PAGE, before=PAGE),
    denied(
        "IAP-RCT-02",
        page("wrong-audience"),
        refused(403, "Audiences in Jwt are not allowed"),
        logged=BY_JWT_FILTER,
    ),
    denied(
        "IAP-RCT-02",
        page("longer-audience"),
        refused(403, "Audiences in Jwt are not allowed"),
        logged=BY_JWT_FILTER,
        variant="longer",
    ),
    denied("IAP-RCT-03", page(), NO_TOKEN),
    *(denied("X-IAP-EVERY", way, rbac_denied(way.method), before=None, variant=name) for name, way in EVERY.items()),
    denied(
        "X-IAP-EVERY",
        echo(),
        NO_TOKEN,
        before=ANY_ECHO,
        twin=echo("valid"),
        twin_expect=ANY_ECHO,
        variant="the other workload",
    ),
    Case("IAP-LB-02", READY, status(200), before=status(200)),
    denied("IAP-RCT-04", at("/healthz/ready"), NO_SUCH_ROUTE, before=NO_SUCH_ROUTE, variant="exempt"),
    denied("IAP-RCT-04", at("/healthz/ready/x"), NO_TOKEN, before=NO_SUCH_ROUTE, variant="exactly"),
    denied("IAP-RCT-05", page("valid", token_as=BEARER), NO_TOKEN),
    *(
        denied("IAP-RCT-05", page("valid", token_as=how), NO_TOKEN, variant=variant)
        for variant, how in ELSEWHERE_SENT.items()
    ),
    *(
        denied("IAP-RCT-06", page(kind), refused(401, text), variant=kind, logged=BY_JWT_FILTER)
        for kind, text in (REFUSED_FOR | FORGED_TOKENS).items()
    ),
    Case(
        "X-IAP-HEADER-01",
        WITH_SPOOFED,
        status(200, echoes_header(USER_HEADER, re.escape(USER))),
        before=status(200, echoes_header(USER_HEADER, re.escape(SPOOFED))),
        variant="overwritten by the token's claim",
        needs=frozenset({"iap-key"}),  # a real token is of another user
    ),
    Case(
        "X-IAP-HEADER-01",
        SPOOFED_TWICE,
        status(200, echoes_header(USER_HEADER, re.escape(USER))),
        before=status(200, echoes_header(USER_HEADER, re.escape(f"{USER},{SPOOFED}"))),
        variant="sent twice",
        needs=frozenset({"iap-key"}),
    ),
    Case(
        "X-IAP-HEADER-01",
        echo("no-email", headers=((USER_HEADER, SPOOFED),)),
        status(200, echoes_no_header(USER_HEADER)),
        before=status(200, echoes_header(USER_HEADER, re.escape(SPOOFED))),
        variant="where the token lacks the claim",
        needs=frozenset({"iap-key"}),
    ),
    *(
        Case(
            "X-IAP-HEADER-02",
            echo("valid", headers=((name, value),)),
            status(200, echoes_no_header(name)),
            twin=echo("valid", headers=(("X-Harmless", "1"),)),
            twin_expect=status(200, echoes_header("X-Harmless", "1")),
            variant=name,
        )
        for name, value in OF_IAP.items()
    ),
    Case("X-IAP-HEADER-03", FORGED, status(200, echoes_header(XFCC, OF_GATEWAY)), needs=frozenset({"auto-mtls"})),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("IAP-RCT-07")
def test_the_token_that_arrives_is_for_the_chosen_audience(observe, stage):
    audience = stage.rig.tokens.audience_of("iap")

    def problem():
        [outcome] = stage.rig.prober.probe(echo("valid"), "IAP-RCT-07")
        if outcome.status != 200:
            return f"expected 200, saw {outcome.summary}"
        return audience_problem(outcome.body, audience)

    observe("IAP-RCT-07", f"the token that reaches a workload behind the gateway is for {audience}", problem)


def audience_problem(body, audience):
    """What is wrong with the token that arrived, by the echo of the request; None when it is for this audience."""
    try:
        sent = echoed_header(body, "Ingress-Authorization")
        claims = jwt.decode(sent.removeprefix("Istio "), options={"verify_signature": False}) if sent else None
    except (ValueError, jwt.InvalidTokenError) as error:
        return f"what arrived cannot be read: {error}"
    if claims is None:
        return "no token arrived"
    return None if claims.get("aud") == audience else f"the audience is {claims.get('aud')!r}"
