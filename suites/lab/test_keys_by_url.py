"""RequestAuthentication whose key set is served at a URL, as in the lab, instead of inline in the resource."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import body_contains, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ARRIVES, ENVIRONMENT, KEPT_BACK, MTLS_CLIENT, MTLS_SERVICE

URL = f"{MTLS_SERVICE}/headers"
VALID = MTLS_CLIENT.get(URL, token="valid")
FOREIGN = MTLS_CLIENT.get(URL, token="foreign-key")
BY_ITS_SIGNATURE = status(401, body_contains("Jwt verification fails"))

FORGED_FOR = {
    "unknown-key": "Jwks doesn't have key to match kid or alg from Jwt",
    "longer-issuer": "Jwt issuer is not configured",
}

STAGE = Stage(
    "keys-by-url",
    title="RequestAuthentication with a key set fetched from a URL",
    needs=frozenset({"key-fetch"}),
    environment=ENVIRONMENT,
    apply=("lab/jwt/jwt-example-by-url.yaml",),
    settle=(Settle(FOREIGN, BY_ITS_SIGNATURE),),
)

CASES = [
    Case("X-JWKS-01", VALID, status(200, KEPT_BACK), before=status(200, ARRIVES)),
    Case("X-JWKS-02", FOREIGN, BY_ITS_SIGNATURE, before=status(200), twin=VALID),
    *(
        Case(
            "X-LAB-JWT-FORGED",
            MTLS_CLIENT.get(URL, token=kind),
            status(401, body_contains(message)),
            before=status(200),
            twin=VALID,
            variant=f"{kind}, keys by URL",
        )
        for kind, message in FORGED_FOR.items()
    ),
]


def test_case(case, prove):
    prove(case)
