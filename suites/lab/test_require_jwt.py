"""An AuthorizationPolicy that requires a token of one issuer and subject."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.probe import Dial, Workload
from clients.model.stage import Settle, Stage
from suites.lab.workloads import BY_NO_RULE, ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE

URL = f"{MTLS_SERVICE}/headers"
NO_TOKEN = MTLS_CLIENT.get(URL)
VALID = MTLS_CLIENT.get(URL, token="valid")
MALFORMED = MTLS_CLIENT.get(URL, token="malformed")
OTHER_SUBJECT = MTLS_CLIENT.get(URL, token="other-subject")
NEIGHBOUR = Workload("strict-mtls-service", "httpbin", "httpbin")
"""With a sidecar, and an identity of its own."""

ANYTHING = MTLS_CLIENT.get(f"{MTLS_SERVICE}/anything")
WAYS = {
    **{method: replace(ANYTHING, method=method) for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")},
    "a body": replace(ANYTHING, method="POST", body='{"id": "{id}"}', headers=(("content-type", "application/json"),)),
    "a path below": MTLS_CLIENT.get(f"{MTLS_SERVICE}/anything/below?x=1"),
    "the first path": MTLS_CLIENT.get(f"{MTLS_SERVICE}/"),
    "HTTP/2": replace(ANYTHING, http2=True),
    "another client of the mesh": NEIGHBOUR.get(f"{MTLS_SERVICE}/anything"),
    "a client without sidecar": LEGACY_CLIENT.get(f"{MTLS_SERVICE}/anything"),
    "HTTP/2 without sidecar": LEGACY_CLIENT.get(f"{MTLS_SERVICE}/anything", http2=True),
}
"""Requests that a policy without a condition on them refuses like any other."""

PLACES = {
    "another host": LEGACY_CLIENT.get(f"{MTLS_SERVICE}/anything", headers=(("Host", "other.example.net"),)),
    "a pod's address": LEGACY_CLIENT.get("http://httpbin.mtls-service:8080/anything", dial=Dial.POD),
    "a path of health checks": MTLS_CLIENT.get(f"{MTLS_SERVICE}/status/200"),
    "a kubelet's user agent": LEGACY_CLIENT.get(
        f"{MTLS_SERVICE}/anything", headers=(("User-Agent", "kube-probe/1.34"),)
    ),
    "from the pod itself, it says": LEGACY_CLIENT.get(
        f"{MTLS_SERVICE}/anything", headers=(("X-Forwarded-For", "127.0.0.1"),)
    ),
}
"""Requests to, and seemingly from, where policies often ask for no token."""
SENT_AS = {
    "another scheme": "Authorization: Basic {}",
    "no scheme": "Authorization: {}",
    "another header": "X-Token: {}",
    "another parameter": "?token={}",
    "a cookie": "Cookie: token={}",
}
"""Places of a request in which no token is expected."""

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
    *(
        Case(
            "LAB-AUTHZ-04",
            MTLS_CLIENT.get(URL, token=kind),
            rbac_denied(),
            before=status(200),
            twin=VALID,
            variant=kind,
        )
        for kind in ("longer-subject", "prefixed-subject")
    ),
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
    *(
        Case(
            "X-LAB-AUTHZ-PLACE",
            place,
            rbac_denied(),
            before=status(200),
            twin=replace(place, token="valid"),
            logged=(BY_NO_RULE,),
            variant=name,
        )
        for name, place in PLACES.items()
    ),
    *(
        Case(
            "X-LAB-AUTHZ-PLACE",
            MTLS_CLIENT.get(URL, token="valid", token_as=how),
            rbac_denied(),
            before=status(200),
            twin=VALID,
            logged=(BY_NO_RULE,),
            variant=f"a token by {name}",
        )
        for name, how in SENT_AS.items()
    ),
    Case(
        "X-LAB-AUTHZ-EVERY",
        replace(ANYTHING, method="PROPFIND"),
        rbac_denied(),
        twin=replace(ANYTHING, token="valid"),
        logged=(BY_NO_RULE,),
        variant="an unusual method",
    ),
]


def test_case(case, prove):
    prove(case)
