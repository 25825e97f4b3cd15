"""Mutants of the rules that gateways enforce: one of several is missing, audited, inverted or for some methods only."""

from __future__ import annotations

import copy
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind, policy_operations, policy_specs
from tests.mutants.places import EGRESS, FRONT, IAP


@mutant("team-not-asked", Area.AUTHORIZATION, EGRESS, {"EGR-ORIG-06[GET]": FAIL}, nightly=True)
def team_not_asked(objects: list[Object]) -> None:
    """The gateway's policy names the host and no team."""
    for spec in policy_specs(objects, "egress-team-x-to-example-com"):
        spec["rules"][0].pop("from")


@mutant("host-not-asked", Area.AUTHORIZATION, EGRESS, cases("EGR-AUTHZ-02 06", FAIL), nightly=True)
def host_not_asked(objects: list[Object]) -> None:
    """The gateway's policy names the team and no host."""
    for operation in policy_operations(objects, "egress-team-x-to-example-com"):
        operation["hosts"] = ["*"]


@mutant(
    "path-too-wide",
    Area.AUTHORIZATION,
    EGRESS,
    {"EGR-AUTHZ-04[/status/200]": FAIL, "EGR-AUTHZ-04[/]": PASS} | cases("EGR-AUTHZ-05", PASS),
    nightly=True,
)
def path_too_wide(objects: list[Object]) -> None:
    """The gateway's second policy allows all statuses instead of one."""
    for operation in policy_operations(objects, "egress-team-y-to-httpbin-teapot"):
        operation["paths"] = ["/status/*"]


def _one_less(rule: int, name: str = "who-and-what") -> Any:
    def change(objects: list[Object]) -> None:
        for spec in policy_specs(objects, name):
            del spec["rules"][rule]

    return change


def _of_the_door(name: str, variant: str, rule: int, says: str) -> None:
    """Register a mutant that lacks one of the four rules of the door."""
    change = _one_less(rule)
    change.__doc__ = says
    mutant(name, Area.AUTHORIZATION, FRONT, {f"X-DOOR-AUTHZ-01[{variant}]": FAIL}, nightly=True)(change)


_of_the_door("host-rule-lost", "host", 0, "The gateway's policy lacks its rule on hosts.")
_of_the_door("method-rule-lost", "method", 1, "The gateway's policy lacks its rule on methods.")
_of_the_door("template-rule-lost", "template of the path", 2, "The gateway's policy lacks its rule on path templates.")
_of_the_door("address-rule-lost", "address of the client", 3, "The gateway's policy lacks its rule on addresses.")


@mutant("denial-audited", Area.AUTHORIZATION, FRONT, cases("CRA-AUTH-01", FAIL), nightly=True)
def denial_audited(objects: list[Object]) -> None:
    """The gateway's DENY is an AUDIT."""
    for spec in policy_specs(objects, "api-origin-auth"):
        spec["action"] = "AUDIT"


@mutant("denial-allows", Area.AUTHORIZATION, FRONT, cases("CRA-AUTH-01 03", FAIL), nightly=True)
def denial_allows(objects: list[Object]) -> None:
    """The gateway's DENY is an ALLOW: what it should refuse is all that it lets pass."""
    for spec in policy_specs(objects, "api-origin-auth"):
        spec["action"] = "ALLOW"


@mutant(
    "preflight-of-everybody",
    Area.GATEWAY,
    FRONT,
    {"X-DOOR-CORS-02[preflight of another origin]": FAIL, "X-DOOR-CORS-02[request without a token]": PASS},
    nightly=True,
)
def preflight_of_every_origin(objects: list[Object]) -> None:
    """Pages of every origin may call the API."""
    for body in of_kind(objects, "VirtualService", "cors"):
        body["spec"]["http"][0]["corsPolicy"]["allowOrigins"] = [{"regex": ".*"}]


@mutant("exempt-prefix", Area.AUTHORIZATION, IAP, {"IAP-RCT-04[exactly]": FAIL}, nightly=True)
def exempt_prefix(objects: list[Object]) -> None:
    """The path that needs no token is a prefix."""
    for operation in policy_operations(objects, "ingressgateway"):
        operation["notPaths"] = ["/healthz/ready*"]


def _without_claim(number: int, name: str, says: str, variants: tuple[str, ...]) -> None:
    def change(objects: list[Object]) -> None:
        for spec in policy_specs(objects, "context-aware"):
            del spec["rules"][0]["when"][number]

    change.__doc__ = says
    verdicts = {f"X-IAP-CLAIM-02[{variant}]": FAIL for variant in variants}
    mutant(name, Area.AUTHORIZATION, IAP, verdicts, nightly=True)(change)


def _for_reading_only(objects: list[Object], name: str) -> None:
    for operation in policy_operations(objects, name):
        operation["methods"] = ["GET", "HEAD"]


@mutant(
    "a-token-for-reading-only",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-01", PASS) | {"X-FRONT-TOKEN-03[POST]": FAIL, "X-FRONT-TOKEN-03[HEAD]": PASS},
    nightly=True,
)
def a_token_for_reading_only(objects: list[Object]) -> None:
    """The gateway requires a token of the methods that read, and of no other."""
    _for_reading_only(objects, "api-origin-auth")


@mutant(
    "iaps-token-for-reading-only",
    Area.AUTHORIZATION,
    IAP,
    cases("IAP-RCT-03", PASS) | {"X-IAP-EVERY[POST]": FAIL, "X-IAP-EVERY[HEAD]": PASS},
    nightly=True,
)
def iaps_token_for_reading_only(objects: list[Object]) -> None:
    """The gateway requires IAP's token of the methods that read, and of no other."""
    _for_reading_only(objects, "ingressgateway")


@mutant(
    "one-path-and-every-post",
    Area.AUTHORIZATION,
    EGRESS,
    cases("EGR-AUTHZ-05", PASS) | {"X-EGR-AUTHZ-EVERY[POST]": FAIL, "X-EGR-AUTHZ-EVERY[PUT]": PASS},
    nightly=True,
)
def one_path_and_every_post(objects: list[Object]) -> None:
    """One more rule at the egress gateway lets every POST of the team out."""
    for body in of_kind(objects, "AuthorizationPolicy"):
        if body["metadata"]["name"].startswith("egress-team-y"):
            rule = copy.deepcopy(body["spec"]["rules"][0])
            rule["to"] = [{"operation": {"methods": ["POST"]}}]
            body["spec"]["rules"].append(rule)


_without_claim(
    0,
    "group-not-asked",
    "Access does not depend on the group.",
    ("staff, but no administrator", "a group whose name begins like the administrators'"),
)
_without_claim(
    2,
    "device-not-asked",
    "Access does not depend on the device.",
    ("another device", "a device whose name begins like the trusted one's"),
)
