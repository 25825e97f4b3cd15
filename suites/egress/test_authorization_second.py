"""The second policy on the gateway: it allows team-y to one path of httpbin.org."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import body_contains, rbac_denied, status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    ENVIRONMENT,
    EXAMPLE,
    HOSTS,
    HTTPBIN,
    LOOK_ALIKES,
    S6,
    TEAPOT,
    TEST_X,
    TEST_XY,
    TEST_Y,
    TEST_YX,
    almost,
    refused_by_gateway,
)

TEAPOT_SAYS = status(418, body_contains("teapot"))
ALLOWED = TEST_Y.get(TEAPOT)
BY_GATEWAY = refused_by_gateway("httpbin.org")
OTHER = TEST_Y.get(f"{HTTPBIN}/anything")
EVERY = {
    **{method: replace(OTHER, method=method) for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS")},
    "below the path": TEST_Y.get(f"{TEAPOT}/below"),
    "dots": TEST_Y.get(f"{TEAPOT}/../200"),
    "two slashes": TEST_Y.get(TEAPOT.replace("/status", "//status")),
    "path that begins so": TEST_Y.get(f"{TEAPOT}0"),
    "path that ends so": TEST_Y.get(f"{HTTPBIN}/anything/status/418"),
    "capitals": TEST_Y.get(f"{HTTPBIN}/STATUS/418"),
    **{f"host, {how}": TEST_Y.get(TEAPOT, headers=(("Host", name),)) for how, name in almost("httpbin.org").items()},
    "another port of the gateway": TEST_Y.get(TEAPOT, headers=(("Host", "second-port.httpbin.org"),)),
    "team, name that begins so": TEST_YX.get(TEAPOT),
    "team, name that ends so": TEST_XY.get(TEAPOT),
}
"""Requests that the rule for one team, one host and one path does not cover."""
STAGE = Stage(
    "egress-s6",
    title="Second gateway policy: team-y to one path of httpbin.org",
    environment=ENVIRONMENT,
    apply=(*S6, *LOOK_ALIKES),
    needs=HOSTS,
    settle=(Settle(ALLOWED, TEAPOT_SAYS, before=rbac_denied()),),
)

CASES = [
    Case("EGR-AUTHZ-05", ALLOWED, TEAPOT_SAYS, arrival=ServerLogExpectation(Proxy.GATEWAY, tls=False)),
    *(
        Case(
            "EGR-AUTHZ-04",
            TEST_Y.get(f"{HTTPBIN}{path}"),
            rbac_denied(),
            twin=ALLOWED,
            twin_expect=TEAPOT_SAYS,
            logged=(BY_GATEWAY,),
            variant=path,
        )
        for path in ("/", "/status/200")
    ),
    Case(
        "EGR-AUTHZ-04",
        TEST_X.get(TEAPOT),
        rbac_denied(),
        twin=TEST_X.head(EXAMPLE),
        logged=(BY_GATEWAY,),
        variant="the other team",
    ),
    *(
        Case(
            "X-EGR-AUTHZ-EVERY",
            way,
            rbac_denied(way.method),
            twin=ALLOWED,
            twin_expect=TEAPOT_SAYS,
            logged=(refused_by_gateway(dict(way.headers).get("Host", "httpbin.org").removeprefix("second-port.")),),
            variant=name,
            needs=frozenset({"slashes-kept"} if name == "two slashes" else ()),
        )
        for name, way in EVERY.items()
    ),
]


def test_case(case, prove):
    prove(case)
