"""An AuthorizationPolicy that requires a token of one issuer and subject."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import BY_NO_RULE, ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE

URL = f"{MTLS_SERVICE}/headers"
NO_TOKEN = MTLS_CLIENT.get(URL)
VALID = MTLS_CLIENT.get(URL, token="valid")
MALFORMED = MTLS_CLIENT.get(URL, token="malformed")
OTHER_SUBJECT = MTLS_CLIENT.get(URL, token="other-subject")
LONGER_SUBJECT = MTLS_CLIENT.get(URL, token="longer-subject")
"""Of a subject that begins with the right one."""

ANYTHING = MTLS_CLIENT.get(f"{MTLS_SERVICE}/anything")
WAYS = {
    **{method: replace(ANYTHING, method=method) for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")},
    "a body": replace(ANYTHING, method="POST", body='{"id": "{id}"}', headers=(("content-type", "application/json"),)),
    "a path below": MTLS_CLIENT.get(f"{MTLS_SERVICE}/anything/below?x=1"),
    "the first path": MTLS_CLIENT.get(f"{MTLS_SERVICE}/"),
    "HTTP/2": replace(ANYTHING, http2=True),
    "a client without sidecar": LEGACY_CLIENT.get(f"{MTLS_SERVICE}/anything"),
    "HTTP/2 without sidecar": LEGACY_CLIENT.get(f"{MTLS_SERVICE}/anything", http2=True),
}
"""Requests that a policy without a condition on them refuses like any other."""

STAGE = Stage(
    "require-jwt",
    title="AuthorizationPolicy requires a token of one issuer and subject",
    environment=ENVIRONMENT,
    apply=("lab/jwt/jwt-example.yaml", "lab/jwt/require-jwt.yaml"),
    settle=(Settle(MALFORMED, status(401)), Settle(NO_TOKEN, rbac_denied())),
)

CASES = [
    Case("LAB-AUTHZ-01", VALID, status(200), before=status(200)),
    Case("LAB-AUTHZ-02", NO_TOKEN, rbac_denied(), before=status(200), twin=VALID, logged=(BY_NO_RULE,)),
    Case("LAB-AUTHZ-03", MALFORMED, status(401), before=status(200), twin=VALID),
    Case("LAB-AUTHZ-04", OTHER_SUBJECT, rbac_denied(), before=status(200), twin=VALID),
    Case("LAB-AUTHZ-04", LONGER_SUBJECT, rbac_denied(), before=status(200), twin=VALID, variant="longer-subject"),
    *(
        Case(
            "X-LAB-AUTHZ-EVERY",
            way,
            rbac_denied(way.method),
            twin=replace(way, token="valid"),
            logged=(BY_NO_RULE,),
            variant=name,
        )
        for name, way in WAYS.items()
    ),
]


def test_case(case, prove):
    prove(case)
