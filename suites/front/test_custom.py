"""An external authorization server decides for the gateway (action CUSTOM): what it allows, refuses and adds."""

from __future__ import annotations

from dataclasses import replace

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
from suites.front.workloads import FRONTEND, HEALTHY, NO_TOKEN, SHOWS_SECRET, SIGN_IN_PAGE, call

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


def denied(control, probe, expect, variant="", logged=(), expect_of=()):
    return Case(
        control,
        probe,
        expect,
        before=SHOWS_SECRET,
        twin=ALLOWED,
        twin_expect=received(USER),
        variant=variant,
        logged=logged,
        expect_of=expect_of,
    )


def refused_by_server(probe, variant):
    return denied("X-CUSTOM-02", probe, SERVER_SAYS_NO, variant, BY_EXT_AUTHZ, (WITHOUT_ITS_HEADERS,))


CASES = [
    Case("X-CUSTOM-01", ALLOWED, received(USER), before=received()),
    refused_by_server(ANONYMOUS, "no header"),
    refused_by_server(OTHER_VALUE, "another value"),
    refused_by_server(call("/x/../api/secure.json"), "dots in the path"),
    Case("X-CUSTOM-03", PRETENDING, received(USER), before=received("eve@example.com")),
    Case("X-CUSTOM-04", call("/api/healthz"), HEALTHY, before=HEALTHY, variant="exempt path"),
    Case("X-CUSTOM-04", call("/", behind=FRONTEND), SIGN_IN_PAGE, before=SIGN_IN_PAGE, variant="front end"),
    denied("X-CUSTOM-06", replace(ALLOWED, method="DELETE"), NO_TOKEN),
    Case("X-CUSTOM-OPEN", UNCHECKED, status(200, has_header("x-received-user", "eve@example.com"))),
]


def test_case(case, prove):
    prove(case)
