"""An external authorization server decides for the gateway (action CUSTOM): its yes, its no, and what it adds."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import AccessLogExpectation, Case, Proxy
from clients.model.expect import body_contains, has_header, status
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

SERVER_SAYS_NO = status(403, body_contains("ext-authz: show the right header"), has_header("x-served-by", "ext-authz"))
BY_EXT_AUTHZ = (AccessLogExpectation(Proxy.CLIENT, flags=frozenset({"UAEX"}), details="ext_authz_denied"),)

STAGE = Stage(
    "front-custom",
    title="An external authorization server decides for the front door",
    environment=CUSTOM_ENVIRONMENT,
    apply=CUSTOM_POLICY,
    needs=CUSTOM_NEEDS,
    settle=(Settle(ANONYMOUS, SERVER_SAYS_NO),),
)

PRETENDING = with_headers(call(), x_ext_authz="allow", x_ext_authz_user="eve@example.com")
UNCHECKED = with_headers(call("/api/healthz"), x_ext_authz_user="eve@example.com")
OTHER_VALUE = with_headers(call(), x_ext_authz="Allow")


def denied(control, probe, expect, variant="", logged=()):
    return Case(
        control,
        probe,
        expect,
        before=SHOWS_SECRET,
        twin=ALLOWED,
        twin_expect=received(USER),
        variant=variant,
        logged=logged,
    )


CASES = [
    Case("X-CUSTOM-01", ALLOWED, received(USER), before=received()),
    denied("X-CUSTOM-02", ANONYMOUS, SERVER_SAYS_NO, "no header", BY_EXT_AUTHZ),
    denied("X-CUSTOM-02", OTHER_VALUE, SERVER_SAYS_NO, "another value", BY_EXT_AUTHZ),
    denied("X-CUSTOM-02", call("/x/../api/secure.json"), SERVER_SAYS_NO, "dots in the path", BY_EXT_AUTHZ),
    Case("X-CUSTOM-03", PRETENDING, received(USER), before=received("eve@example.com")),
    Case("X-CUSTOM-04", call("/api/healthz"), HEALTHY, before=HEALTHY, variant="exempt path"),
    Case("X-CUSTOM-04", call("/", behind=FRONTEND), SIGN_IN_PAGE, before=SIGN_IN_PAGE, variant="front end"),
    denied("X-CUSTOM-06", replace(ALLOWED, method="DELETE"), NO_TOKEN),
    Case("X-CUSTOM-OPEN", UNCHECKED, status(200, has_header("x-received-user", "eve@example.com"))),
]


def test_case(case, prove):
    prove(case)
