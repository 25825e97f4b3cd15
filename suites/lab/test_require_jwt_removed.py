"""The policy deleted, the token validation left: requests without a token pass again, a bad token is refused."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, MTLS_CLIENT, MTLS_SERVICE

URL = f"{MTLS_SERVICE}/headers"
NO_TOKEN = MTLS_CLIENT.get(URL)
MALFORMED = MTLS_CLIENT.get(URL, token="malformed")

STAGE = Stage(
    "require-jwt-removed",
    title="AuthorizationPolicy deleted: no token passes, bad tokens do not",
    environment=ENVIRONMENT,
    apply=("lab/jwt/jwt-example.yaml", "lab/jwt/require-jwt.yaml"),
    removed=("lab/jwt/require-jwt.yaml",),
    settle=(Settle(NO_TOKEN, rbac_denied()),),
)

CASES = [
    Case("LAB-CLEAN-01", NO_TOKEN, status(200), before=status(200)),
    Case("LAB-CLEAN-02", MALFORMED, status(401), before=status(200), twin=NO_TOKEN),
]


def test_case(case, prove):
    prove(case)
