"""The gateway originates TLS to example.com, and only to a server whose certificate is for example.com."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import body_contains, rbac_denied, status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.stage import Settle, Stage, Step
from suites.egress.workloads import (
    BY_MUTUAL_TLS,
    ENVIRONMENT,
    EXAMPLE,
    HOP_SNI,
    HOSTS,
    ORIGINATED,
    S7,
    TEAPOT,
    TEST_X,
    TEST_Y,
    refused_by_gateway,
)

ALLOWED = TEST_X.head(EXAMPLE)
NEW_ROUTE = TEST_X.get("http://wrong-name.example.com/ip")
"""By a route of this stage alone, which is applied after that to example.com."""
SAME = TEST_X.get(EXAMPLE)
LED_ELSEWHERE, LED_TO_EXPIRED = "led-elsewhere", "led-to-expired"
OVER_TLS = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com")
BADLY_CERTIFIED = ("untrusted", "wrong-name", "expired")

STAGE = Stage(
    "egress-s7",
    title="The egress gateway originates TLS and verifies the server",
    environment=ENVIRONMENT,
    apply=(
        *S7,
        *(f"egress/origination/{kind}-example-com.yaml" for kind in BADLY_CERTIFIED),
        "egress/authorization/team-x-to-badly-certified.yaml",
    ),
    # the route of this stage has no exportTo, so all proxies of the mesh get it
    needs=HOSTS | {"mesh-wide"},
    # 200 for example.com shows nothing: the gateway answers it by plain HTTP too, until the revised route has come
    settle=(Settle(NEW_ROUTE, status(200), before=status(502)), Settle(ALLOWED, status(200))),
    steps=(
        Step(
            LED_ELSEWHERE,
            title="The address of example.com leads to a server of an untrusted authority",
            apply=("egress/origination/example-com-elsewhere.yaml",),
        ),
        Step(
            "led-back",
            title="The address of example.com is its own again",
            apply=("egress/hosts/example-com.yaml",),
            settle=(Settle(SAME, status(200), before=status(503)),),
        ),
        Step(
            LED_TO_EXPIRED,
            title="The address of example.com leads to an expired certificate",
            apply=("egress/origination/example-com-at-expired.yaml",),
            settle=(Settle(SAME, status(503), before=status(200)),),
        ),
    ),
)

AT_GATEWAY = AccessLogExpectation(
    Proxy.GATEWAY,
    status=200,
    protocol="HTTP/2",
    authority=r"example\.com",
    upstream="<example.com>:443",
    cluster=ORIGINATED,
    sni=HOP_SNI,
)
AT_SIDECAR = AccessLogExpectation(Proxy.CLIENT, status=200, upstream="<gateway>:<http-port>", cluster=BY_MUTUAL_TLS)
NOT_UPGRADED = AccessLogExpectation(
    Proxy.GATEWAY, status=418, upstream="<httpbin.org>:80", cluster=r"outbound\|80\|\|httpbin\.org"
)
NOT_VERIFIED = AccessLogExpectation(
    Proxy.GATEWAY, status=503, flags=frozenset({"UF"}), details="CERTIFICATE_VERIFY_FAILED"
)

CASES = [
    Case("EGR-ORIG-01", ALLOWED, status(200), repeat=4),
    Case("EGR-ORIG-02", ALLOWED, status(200), logged=(AT_GATEWAY, AT_SIDECAR), arrival=OVER_TLS, repeat=4),
    Case(
        "EGR-ORIG-03",
        TEST_Y.get(TEAPOT),
        status(418, body_contains("teapot")),
        twin=ALLOWED,
        logged=(NOT_UPGRADED,),
        arrival=ServerLogExpectation(Proxy.GATEWAY, tls=False),
    ),
    *(
        Case(
            "EGR-ORIG-04",
            TEST_X.get(f"http://{kind}.example.com"),
            status(503),
            twin=ALLOWED,
            logged=(NOT_VERIFIED,),
            variant=kind,
        )
        for kind in BADLY_CERTIFIED
    ),
    Case(
        "X-EGR-ORIG-NAME",
        NEW_ROUTE,
        status(200),
        arrival=ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="wrong-name.example.com"),
    ),
    Case("EGR-ORIG-05", TEST_X.get(EXAMPLE), status(200), arrival=OVER_TLS),
    Case("EGR-ORIG-05", TEST_X.post(f"{EXAMPLE}/post"), status(200), arrival=OVER_TLS, variant="POST"),
    Case("EGR-ORIG-05", TEST_X.get(f"{EXAMPLE}/anything"), status(200), arrival=OVER_TLS, variant="another path"),
    Case(
        "EGR-ORIG-06",
        TEST_Y.head(EXAMPLE),
        status(403),
        twin=ALLOWED,
        logged=(refused_by_gateway("example.com"),),
        variant="HEAD",
    ),
    Case(
        "EGR-ORIG-06",
        TEST_Y.get(EXAMPLE),
        rbac_denied(),
        twin=ALLOWED,
        logged=(refused_by_gateway("example.com"),),
        variant="GET",
    ),
    Case(
        "EGR-ORIG-06",
        TEST_Y.get(f"{EXAMPLE}/status/418"),
        rbac_denied(),
        twin=ALLOWED,
        logged=(refused_by_gateway("example.com"),),
        variant="its path of the other host",
    ),
    # The other hosts have rules of their own: that example.com's own rule verifies shows only with its own name.
    Case(
        "X-EGR-ORIG-SAME",
        SAME,
        status(503),
        twin=NEW_ROUTE,
        logged=(NOT_VERIFIED,),
        step=LED_ELSEWHERE,
    ),
    Case(
        "X-EGR-ORIG-SAME",
        SAME,
        status(503),
        twin=NEW_ROUTE,
        logged=(replace(NOT_VERIFIED, upstream="<expired.example.com>:443"),),
        variant="expired",
        step=LED_TO_EXPIRED,
    ),
]


def test_case(case, prove):
    prove(case)
