"""RequestAuthentication alone: a bad token is refused, a good token passes, and so does a request without one."""

from __future__ import annotations

import jwt
import pytest

from clients.model.case import Case
from clients.model.expect import body_contains, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ARRIVES, ENVIRONMENT, KEPT_BACK, MTLS_CLIENT, MTLS_SERVICE

URL = f"{MTLS_SERVICE}/headers"
MALFORMED = MTLS_CLIENT.get(URL, token="malformed")
VALID = MTLS_CLIENT.get(URL, token="valid")
VALID_ES256 = MTLS_CLIENT.get(URL, token="valid-es256")
NOT_A_TOKEN = status(401, body_contains("Jwt is not in the form of Header.Payload.Signature"))

VERIFIED = status(200, KEPT_BACK)

STAGE = Stage(
    "request-authentication",
    title="RequestAuthentication alone: bad tokens are refused, no token passes",
    environment=ENVIRONMENT,
    apply=("lab/jwt/jwt-example.yaml",),
    settle=(Settle(MALFORMED, NOT_A_TOKEN),),
)

REFUSED_FOR = {
    "wrong-issuer": "Jwt issuer is not configured",
    "foreign-key": "Jwt verification fails",
    "expired": "Jwt is expired",
    "just-expired": "Jwt is expired",
    "soon-valid": "Jwt not yet valid",
}

FORGED_FOR = {
    "unknown-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "unsigned": "Jwt is not in the form of Header.Payload.Signature",
    "signature-of-none": "Jwt header [alg] is not supported",
    "signed-with-public-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "tampered": "Jwt verification fails",
    "other-signature": "Jwt verification fails",
    "longer-issuer": "Jwt issuer is not configured",
}
"""Kinds of tokens that are made without the issuer's private key, or in the name of an issuer like it."""

CASES = [
    Case("LAB-JWT-01", MALFORMED, NOT_A_TOKEN, before=status(200), twin=VALID),
    Case("LAB-JWT-02", MTLS_CLIENT.get(URL), status(200), before=status(200)),
    Case("LAB-JWT-03", VALID, VERIFIED, before=status(200, ARRIVES), variant="RS256"),
    Case("LAB-JWT-03", VALID_ES256, VERIFIED, before=status(200, ARRIVES), variant="ES256"),
    *(
        Case(
            "LAB-JWT-04",
            MTLS_CLIENT.get(URL, token=kind),
            status(401, body_contains(message)),
            before=status(200),
            twin=VALID,
            variant=kind,
        )
        for kind, message in REFUSED_FOR.items()
    ),
]

CASES += [
    Case(
        "X-LAB-JWT-FORGED",
        MTLS_CLIENT.get(URL, token=kind),
        status(401, body_contains(message)),
        before=status(200),
        twin=VALID,
        variant=kind,
    )
    for kind, message in FORGED_FOR.items()
]
CASES += [
    Case(
        "X-LAB-JWT-FORGED",
        MTLS_CLIENT.get(URL, token="foreign-key", token_as="?access_token={}"),
        status(401, body_contains("Jwt verification fails")),
        before=status(200),
        twin=VALID,
        variant="in the query",
    )
]

CLAIMS = {
    "exp": 4685989700,
    "foo": "bar",
    "iat": 1532389700,
    "iss": "testing@secure.istio.io",
    "sub": "testing@secure.istio.io",
}


def test_case(case, prove):
    prove(case)


@pytest.mark.control("LAB-JWT-05")
def test_token_carries_what_the_policy_expects(observe, rig):
    def problem():
        claims = jwt.decode(rig.tokens.mint("valid"), options={"verify_signature": False})
        if claims != CLAIMS:
            return f"claims are {claims}"
        [policy] = rig.applier.load(["lab/jwt/require-jwt.yaml"])
        expected = policy.body["spec"]["rules"][0]["from"][0]["source"]["requestPrincipals"]
        principal = f"{claims['iss']}/{claims['sub']}"
        return None if [principal] == expected else f"the token makes {principal}, require-jwt expects {expected}"

    observe("LAB-JWT-05", f"claims {CLAIMS}; iss/sub is the request principal of require-jwt", problem)
