"""An external authorization server decides for the gateway (action CUSTOM): what it allows, refuses and adds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import body_contains, has_header, lacks_header, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Settle, Stage
from suites.front.custom import (
    ALLOWED,
    ANONYMOUS,
    CUSTOM_ENVIRONMENT,
    CUSTOM_NEEDS,
    CUSTOM_POLICY,
    USER,
    received,
    with_headers,
)
from suites.front.workloads import (
    ANOTHER_HOST,
    BACKEND,
    FRONTEND,
    HEALTHY,
    HTTP,
    HTTPS,
    INSIDE,
    NO_SUCH_PAGE,
    NO_TOKEN,
    SHOWS_SECRET,
    SIGN_IN_PAGE,
    call,
)

SERVERS_WORDS = body_contains("ext-authz: show the right header")
ITS_HEADER = "x-served-by"
SERVER_SAYS_NO = status(403, SERVERS_WORDS, has_header(ITS_HEADER, "ext-authz"))
WITHOUT_ITS_HEADERS = ("1.37.0", status(403, SERVERS_WORDS, lacks_header(ITS_HEADER)))
"""This one release of Envoy hands none of the server's own headers down with a no (docs/deviations.md, X-CUSTOM-02)."""
BY_EXT_AUTHZ = (AccessLogExpectation(Proxy.CLIENT, flags=frozenset({"UAEX"}), details="ext_authz_denied"),)

STAGE = Stage(
    "front-custom",
    title="An external authorization server decides for the front door",
    environment=CUSTOM_ENVIRONMENT,
    apply=CUSTOM_POLICY,
    needs=CUSTOM_NEEDS,
    settle=(Settle(ANONYMOUS, status(403, SERVERS_WORDS)),),
)

PRETENDING = with_headers(call(), x_ext_authz="allow", x_ext_authz_user="eve@example.com")
UNCHECKED = with_headers(call("/api/healthz"), x_ext_authz_user="eve@example.com")
OTHER_VALUE = with_headers(call(), x_ext_authz="Allow")
OTHERWISE = {
    "POST": replace(call(), method="POST"),
    "PUT": replace(call(), method="PUT"),
    "OPTIONS": replace(call(), method="OPTIONS"),
    "HTTP/2": replace(call(), http2=True),
    "over TLS": call(base=HTTPS),
    "another host": call(base=ANOTHER_HOST),
    "host with its port": call(base=f"{HTTP}:80"),
}
"""Requests that differ from a user's in what the policy does not ask for."""
OTHER_PATHS = {
    "another path": call("/api/v1/other"),
    "health path's last element": call("/api/secure.json/healthz"),
    "slash after the health path": call("/api/healthz/"),
}
"""Requests for pages that the back end does not have."""

FROM_A_POD = INSIDE.get("http://istio-ingress.gke-system/api/secure.json", behind=BACKEND)
FRONT_PAGE = call("/", behind=FRONTEND)

denied = partial(Case, before=SHOWS_SECRET, twin=ALLOWED, twin_expect=received(USER))
refused_by_server = partial(
    denied, "X-CUSTOM-02", expect=SERVER_SAYS_NO, logged=BY_EXT_AUTHZ, expect_of=(WITHOUT_ITS_HEADERS,)
)


def allowed(probe):
    """The same request, with the header that the server asks for."""
    return with_headers(probe, x_ext_authz="allow")


CASES = [
    Case("X-CUSTOM-01", ALLOWED, received(USER), before=received()),
    refused_by_server(ANONYMOUS, variant="no header"),
    refused_by_server(OTHER_VALUE, variant="another value"),
    refused_by_server(call("/x/../api/secure.json"), variant="dots in the path"),
    *(refused_by_server(way, variant=variant, twin=allowed(way)) for variant, way in OTHERWISE.items()),
    refused_by_server(FROM_A_POD, twin=allowed(FROM_A_POD), variant="from a pod of the mesh", logged=()),
    *(
        refused_by_server(way, before=NO_SUCH_PAGE, twin=allowed(way), twin_expect=NO_SUCH_PAGE, variant=variant)
        for variant, way in OTHER_PATHS.items()
    ),
    Case("X-CUSTOM-03", PRETENDING, received(USER), before=received("eve@example.com")),
    Case("X-CUSTOM-04", call("/api/healthz"), HEALTHY, before=HEALTHY, variant="exempt path"),
    Case("X-CUSTOM-04", FRONT_PAGE, SIGN_IN_PAGE, before=SIGN_IN_PAGE, variant="front end"),
    denied("X-CUSTOM-06", replace(ALLOWED, method="DELETE"), NO_TOKEN),
    denied("X-CUSTOM-06", replace(allowed(call(base=HTTPS)), method="DELETE"), NO_TOKEN, variant="over TLS"),
    Case(
        "X-CUSTOM-06",
        replace(FRONT_PAGE, method="DELETE"),
        NO_TOKEN,
        before=SIGN_IN_PAGE,
        twin=FRONT_PAGE,
        twin_expect=SIGN_IN_PAGE,
        variant="for another page",
    ),
    Case("X-CUSTOM-OPEN", UNCHECKED, status(200, has_header("x-received-user", "eve@example.com"))),
]


def test_case(case, prove):
    prove(case)
