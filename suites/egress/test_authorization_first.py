"""The first policy on the gateway: it allows team-x to example.com, so all other requests are refused."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.egress.workloads import (
    ENVIRONMENT,
    EXAMPLE,
    HOSTS,
    HTTPBIN,
    LOOK_ALIKES,
    S5,
    TEAPOT,
    TEST_X,
    TEST_XY,
    TEST_Y,
    TEST_YX,
    almost,
    refused_by_gateway,
)

ALLOWED = TEST_X.head(EXAMPLE)
REFUSED = TEST_X.get(HTTPBIN)
BY_GATEWAY = refused_by_gateway("httpbin.org")
STAGE = Stage(
    "egress-s5",
    title="First gateway policy: team-x to example.com, all else refused",
    environment=ENVIRONMENT,
    apply=(*S5, *LOOK_ALIKES),
    needs=HOSTS,
    settle=(Settle(REFUSED, rbac_denied(), before=status(200)), Settle(ALLOWED, status(200))),
)

CASES = [
    Case("EGR-AUTHZ-01", ALLOWED, status(200)),
    Case("EGR-AUTHZ-02", REFUSED, rbac_denied(), twin=ALLOWED),
    Case("EGR-AUTHZ-03", TEST_Y.get(TEAPOT), rbac_denied(), twin=ALLOWED, logged=(BY_GATEWAY,)),
    Case("EGR-AUTHZ-06", REFUSED, rbac_denied(), twin=ALLOWED, logged=(BY_GATEWAY,)),
    Case(
        "EGR-AUTHZ-07",
        TEST_X.get(EXAMPLE, headers=(("Host", "httpbin.org"),)),
        rbac_denied(),
        twin=ALLOWED,
        logged=(BY_GATEWAY,),
    ),
    *(
        Case(
            "X-EGR-AUTHZ-LIKE",
            TEST_X.get(EXAMPLE, headers=(("Host", name),)),
            rbac_denied(),
            twin=ALLOWED,
            logged=(refused_by_gateway(name),),
            variant=variant,
        )
        for variant, name in almost("example.com").items()
    ),
    Case(
        "X-EGR-AUTHZ-LIKE",
        TEST_X.get(EXAMPLE, headers=(("Host", "second-port.example.com"),)),
        rbac_denied(),
        twin=ALLOWED,
        logged=(replace(refused_by_gateway("example.com"), local="<gateway>:<tls-port>"),),
        variant="another port of the gateway",
    ),
    *(
        Case(
            "X-EGR-TENANT-LIKE",
            source.get(EXAMPLE),
            rbac_denied(),
            twin=ALLOWED,
            logged=(refused_by_gateway("example.com"),),
            variant=variant,
        )
        for variant, source in {"name that begins so": TEST_XY, "name that ends so": TEST_YX}.items()
    ),
]


def test_case(case, prove):
    prove(case)
