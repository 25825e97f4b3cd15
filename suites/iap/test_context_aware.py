"""Context-aware access: the gateway decides by the token's claims about user, group and device."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import echoes_header, status
from clients.model.stage import Settle, Stage
from suites.iap.workloads import ENVIRONMENT, NO_TOKEN, PAGE, RCTOKEN, SITE, echo, page

NO_LEVEL = page("no-level")

STAGE = Stage(
    "iap-context-aware",
    title="Context-aware access by group, access level and device",
    needs=frozenset({"iap-key"}),
    environment=ENVIRONMENT,
    apply=(*RCTOKEN, "iap/rctoken/context-aware.yaml"),
    settle=(Settle(page(), NO_TOKEN, before=PAGE), Settle(NO_LEVEL, NO_TOKEN)),
)

VALID = page("valid")
PRODUCTS = replace(VALID, url=f"{SITE}/api/v1/products")
REFUSED = {
    "other-group": "staff, but no administrator",
    "no-group": "of no group",
    "longer-group": "a group whose name begins like the administrators'",
    "prefixed-group": "a group whose name ends like the administrators'",
    "other-level": "an access level of others",
    "prefixed-level": "an access level whose name ends like the right one",
    "no-level": "no access level",
    "level-at-top": "the access level is not IAP's claim",
    "other-device": "another device",
    "longer-device": "a device whose name begins like the trusted one's",
    "prefixed-device": "a device whose name ends like the trusted one's",
}

ECHOED = status(200, echoes_header("X-User-Email", ".+"))
ANY_ECHO = status(200)

CASES = [
    Case("X-IAP-CLAIM-01", VALID, PAGE, before=PAGE, variant="group, access level and device"),
    Case("X-IAP-CLAIM-01", echo("other-group"), ECHOED, before=ANY_ECHO, variant="one claim of a list"),
    *(
        Case("X-IAP-CLAIM-02", page(kind), NO_TOKEN, before=PAGE, twin=VALID, twin_expect=PAGE, variant=variant)
        for kind, variant in REFUSED.items()
    ),
    Case(
        "X-IAP-CLAIM-02",
        echo("no-group"),
        NO_TOKEN,
        before=ANY_ECHO,
        twin=echo("other-group"),
        twin_expect=ECHOED,
        variant="of no group, another path",
    ),
    *(
        Case(
            "X-IAP-CLAIM-02",
            echo(kind),
            NO_TOKEN,
            before=ANY_ECHO,
            twin=echo("other-group"),
            twin_expect=ECHOED,
            variant=f"a group whose name {how} like the staff's",
        )
        for kind, how in {"longer-group": "begins", "prefixed-group": "ends"}.items()
    ),
    Case(
        "X-IAP-CLAIM-02",
        PRODUCTS,
        NO_TOKEN,
        before=status(200),
        twin=VALID,
        twin_expect=PAGE,
        variant="a path of no rule",
    ),
    Case(
        "X-IAP-CLAIM-02",
        replace(page("no-group"), method="POST"),
        NO_TOKEN,
        before=PAGE,
        twin=replace(VALID, method="POST"),
        twin_expect=PAGE,
        variant="of no group, by POST",
    ),
]


def test_case(case, prove):
    prove(case)
