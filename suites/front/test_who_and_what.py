"""Authorization at the gateway by host, method, path template and client address."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.stage import Settle, Stage
from suites.front.workloads import BACKEND, ENVIRONMENT, INSIDE, NO_SUCH_PAGE, NO_TOKEN, SHOWS_SECRET, call

REFUSED = NO_TOKEN
ADMIN = call(base="http://admin.example.com")

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


def refused(probe, variant, before=SHOWS_SECRET):
    return Case(
        "X-DOOR-AUTHZ-01", probe, REFUSED, before=before, twin=call(), twin_expect=SHOWS_SECRET, variant=variant
    )


def by_http2(method):
    """A published advisory: HTTP/2 carries any spelling of a method, and the policy's is DELETE."""
    probe = replace(BY_HTTP2, method=method)
    return Case("X-CVE-GHSA-W44G-05", probe, REFUSED, twin=BY_HTTP2, twin_expect=SHOWS_SECRET, variant=method)


CASES = [
    refused(ADMIN, "host"),
    refused(call(base="http://ADMIN.example.com"), "host in upper case"),
    refused(call(base="http://safe.example.com:80"), "host with its port, where the rule names both"),
    refused(replace(call(), method="DELETE"), "method"),
    refused(call("/api/v1/secure.json"), "template of the path", NO_SUCH_PAGE),
    refused(call("/api/v2/secure.json"), "template of the path, another element", NO_SUCH_PAGE),
    refused(FROM_A_POD, "address of the client"),
    *map(by_http2, ("DELETE", "delete")),
    Case("X-CVE-GHSA-W44G-06", BY_HTTP2, SHOWS_SECRET, before=SHOWS_SECRET),
    Case("X-DOOR-AUTHZ-02", call(), SHOWS_SECRET, before=SHOWS_SECRET),
    Case("X-DOOR-PORT", call(base="http://admin.example.com:80"), SHOWS_SECRET, before=SHOWS_SECRET),
]


def test_case(case, prove):
    prove(case)
