"""gRPC through the gateway: a call with a valid token is answered, any other ends with a gRPC status."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import RBAC_DENIED
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Settle
from suites.front.channels import ANSWERED, CART, PERMISSION_DENIED, UNAUTHENTICATED, call_refused, cart, stage

NO_TOKEN = call_refused(PERMISSION_DENIED, RBAC_DENIED)
VALID = cart(token="valid")
WITH_PORT = cart(host=f"{CART}:80")
BY_POLICY = (AccessLogExpectation(Proxy.CLIENT, details="rbac_access_denied_matched_policy", protocol="HTTP/2"),)
BY_JWT_FILTER = (AccessLogExpectation(Proxy.CLIENT, details="jwt_authn_access_denied", protocol="HTTP/2"),)

STAGE = stage("front-grpc", (Settle(cart(), NO_TOKEN),), title="gRPC calls through the front door require a token")

denied = partial(Case, before=ANSWERED, twin=VALID, twin_expect=ANSWERED)
BAD_TOKENS = {
    "expired": (UNAUTHENTICATED, "Jwt is expired"),
    "foreign-key": (UNAUTHENTICATED, "Jwt verification fails"),
    "wrong-issuer": (UNAUTHENTICATED, "Jwt issuer is not configured"),
    "wrong-audience": (PERMISSION_DENIED, "Audiences in Jwt are not allowed"),
}

CASES = [
    Case("X-GRPC-01", VALID, ANSWERED, before=ANSWERED),
    Case("X-GRPC-01", cart("AddItem", "valid"), ANSWERED, before=ANSWERED, variant="another method"),
    Case("X-GRPC-01", cart(token="valid", scheme="grpcs"), ANSWERED, before=ANSWERED, variant="over TLS"),
    denied("X-GRPC-02", cart(), NO_TOKEN, logged=BY_POLICY),
    denied("X-GRPC-02", cart("AddItem"), NO_TOKEN, twin=cart("AddItem", "valid"), variant="another method"),
    denied("X-GRPC-02", cart(scheme="grpcs"), NO_TOKEN, variant="over TLS"),
    denied("X-GRPC-02", WITH_PORT, NO_TOKEN, twin=replace(WITH_PORT, token=VALID.token), variant="host with its port"),
    denied("X-GRPC-02", replace(VALID, token_as="X-Token: {}"), NO_TOKEN, variant="in other metadata"),
    *(
        denied("X-GRPC-03", cart(token=kind), call_refused(*pinned), variant=kind, logged=BY_JWT_FILTER)
        for kind, pinned in BAD_TOKENS.items()
    ),
    denied("X-GRPC-04", cart("EmptyCart", "valid"), NO_TOKEN, logged=BY_POLICY),
    denied("X-GRPC-04", cart("x/../EmptyCart", "valid"), NO_TOKEN, before=None, variant="dots in the path"),
    denied("X-GRPC-04", cart("EmptyCart", "valid", "grpcs"), NO_TOKEN, variant="over TLS"),
    denied("X-GRPC-04", cart("EmptyCart", "valid", host=f"{CART}:80"), NO_TOKEN, variant="host with its port"),
]


def test_case(case, prove):
    prove(case)
