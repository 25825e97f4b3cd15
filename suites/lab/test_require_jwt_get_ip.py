"""The narrowed policy: the same token, and only GET /ip."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import BY_NO_RULE, ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE

IP, HEADERS = f"{MTLS_SERVICE}/ip", f"{MTLS_SERVICE}/headers"
GET_IP = MTLS_CLIENT.get(IP, token="valid")
OTHER_PATH = MTLS_CLIENT.get(HEADERS, token="valid")

EVERY = {
    **{method: replace(GET_IP, method=method) for method in ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")},
    **{
        name: MTLS_CLIENT.get(f"{MTLS_SERVICE}{path}", token="valid")
        for name, path in {
            "root": "/",
            "other path": "/anything",
            "longer name": "/ipx",
            "slash at the end": "/ip/",
            "path below": "/ip/below",
            "upper case": "/IP",
            "last element": "/anything/ip",
        }.items()
    },
}
"""Requests that the one method and the one path do not cover. No state before: some are answered by 404 or 405."""

OTHER_SUBJECTS = ("other-subject", "longer-subject", "prefixed-subject")
"""Kinds of tokens of the right issuer and key; the second's subject begins with the right one, the third's ends so."""

STAGE = Stage(
    "require-jwt-get-ip",
    title="AuthorizationPolicy allows only GET /ip with the token",
    environment=ENVIRONMENT,
    apply=("lab/jwt/jwt-example.yaml", "lab/jwt/require-jwt-get-ip.yaml"),
    settle=(Settle(OTHER_PATH, rbac_denied()),),
)

CASES = [
    Case("LAB-PATH-01", GET_IP, status(200), before=status(200)),
    Case("LAB-PATH-02", OTHER_PATH, rbac_denied(), before=status(200), twin=GET_IP),
    Case("LAB-PATH-03", MTLS_CLIENT.get(IP), rbac_denied(), before=status(200), twin=GET_IP),
    Case(
        "X-LAB-AUTHZ-PLACE",
        LEGACY_CLIENT.get(IP),
        rbac_denied(),
        before=status(200),
        twin=LEGACY_CLIENT.get(IP, token="valid"),
        logged=(BY_NO_RULE,),
        variant="the allowed path, by a client without sidecar",
    ),
    Case(
        "X-LAB-AUTHZ-PLACE",
        MTLS_CLIENT.get(IP, token="valid", token_as="X-Token: {}"),
        rbac_denied(),
        before=status(200),
        twin=GET_IP,
        logged=(BY_NO_RULE,),
        variant="the allowed path, a token by another header",
    ),
    # No `before`: to a POST on /ip, some versions of httpbin answer 405 and others 200.
    Case("LAB-PATH-04", MTLS_CLIENT.post(IP, token="valid"), rbac_denied(), twin=GET_IP),
    *(
        Case("X-LAB-PATH-EVERY", way, rbac_denied(way.method), twin=GET_IP, logged=(BY_NO_RULE,), variant=name)
        for name, way in EVERY.items()
    ),
    *(
        Case(
            "X-LAB-PATH-SUBJECT",
            replace(GET_IP, token=kind),
            rbac_denied(),
            before=status(200),
            twin=GET_IP,
            logged=(BY_NO_RULE,),
            variant=kind,
        )
        for kind in OTHER_SUBJECTS
    ),
]


def test_case(case, prove):
    prove(case)
