"""Authorization at the gateway by host, method, path template and client address."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.stage import Settle, Stage
from suites.front.workloads import (
    ANOTHER_HOST,
    BACKEND,
    ENVIRONMENT,
    FRONTEND,
    HTTPS,
    INSIDE,
    NO_SUCH_PAGE,
    NO_TOKEN,
    SHOWS_SECRET,
    SIGN_IN_PAGE,
    call,
)

REFUSED = NO_TOKEN
ADMIN = call(base="http://admin.example.com")
FRONT_PAGE = call("/", behind=FRONTEND)

STAGE = Stage(
    "front-who-and-what",
    title="Front door refuses by host, method, path template, client address",
    environment=ENVIRONMENT,
    apply=("front/beyond/authorization.yaml",),
    needs=frozenset({"client-address"}),
    settle=(Settle(ADMIN, REFUSED),),
)

FROM_A_POD = INSIDE.get("http://istio-ingress.gke-system/api/secure.json", behind=BACKEND)


BY_HTTP2 = replace(call(), http2=True)


def refused(probe, variant, before=SHOWS_SECRET, *, twin=None, answered=SHOWS_SECRET):
    return Case(
        "X-DOOR-AUTHZ-01", probe, REFUSED, before=before, twin=twin or call(), twin_expect=answered, variant=variant
    )


def by_http2(method):
    """A published advisory: HTTP/2 carries any spelling of a method, and the policy's is DELETE."""
    probe = replace(BY_HTTP2, method=method)
    return Case("X-CVE-GHSA-W44G-05", probe, REFUSED, twin=BY_HTTP2, twin_expect=SHOWS_SECRET, variant=method)


CASES = [
    refused(ADMIN, "host"),
    refused(call(base="http://ADMIN.example.com"), "host in upper case"),
    refused(replace(ADMIN, method="POST"), "host, by another method"),
    refused(call(base="https://admin.example.com"), "host over TLS"),
    refused(call(base="http://safe.example.com"), "host without a port, where the rule names both"),
    refused(call(base="http://safe.example.com:80"), "host with its port, where the rule names both"),
    refused(replace(call(), method="DELETE"), "method"),
    refused(replace(call(base=HTTPS), method="DELETE"), "method over TLS"),
    refused(
        replace(FRONT_PAGE, method="DELETE"),
        "method for another page",
        SIGN_IN_PAGE,
        twin=FRONT_PAGE,
        answered=SIGN_IN_PAGE,
    ),
    refused(call("/api/v1/secure.json"), "template of the path", NO_SUCH_PAGE),
    refused(call("/api/v2/secure.json"), "template of the path, another element", NO_SUCH_PAGE),
    refused(
        replace(call("/api/v1/secure.json"), method="POST"), "template of the path, by another method", NO_SUCH_PAGE
    ),
    refused(call("/api/v1/secure.json", base=ANOTHER_HOST), "template of the path, another host", NO_SUCH_PAGE),
    refused(call("/api/v1/secure.json", base=HTTPS), "template of the path over TLS", NO_SUCH_PAGE),
    refused(FROM_A_POD, "address of the client"),
    refused(replace(FROM_A_POD, headers=(("Host", "other.example.net"),)), "address of the client, another host"),
    refused(replace(FROM_A_POD, method="POST"), "address of the client, by another method"),
    *map(by_http2, ("DELETE", "delete")),
    Case("X-CVE-GHSA-W44G-06", BY_HTTP2, SHOWS_SECRET, before=SHOWS_SECRET),
    Case("X-DOOR-AUTHZ-02", call(), SHOWS_SECRET, before=SHOWS_SECRET),
    Case("X-DOOR-PORT", call(base="http://admin.example.com:80"), SHOWS_SECRET, before=SHOWS_SECRET),
]


def test_case(case, prove):
    prove(case)
