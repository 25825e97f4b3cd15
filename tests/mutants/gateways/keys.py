"""Mutants of a gateway's key sets: swapped, not rotated, not fetched, or not asked for."""

from __future__ import annotations

import re

from clients.identity.tokens import TokenIssuer
from suites.front import test_keys_rotation
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.gateways.front_door import POLICY
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import FRONT

_FOREIGN_JWKS = TokenIssuer().jwks_json()
REFUSED_TOKENS = {f"CRA-AUTH-07[{kind}]": FAIL for kind in ("malformed", "expired", "just-expired", "foreign-key")}
ROTATION = tuple(case.id for case in test_keys_rotation.CASES if case.control in ("X-KEYS-09", "X-KEYS-10"))
PATIENTLY = ("--budget", "8")
"""istiod asks for keys every second, and its proxies have to find it again first."""
AFTER_OLD_KEY = (
    "X-KEYS-09[next key, alone]",
    "X-KEYS-10[old key, too late]",
    "X-KEYS-10[another audience]",
    "X-KEYS-10[old key, issuer down]",
)
"""Cases of the step that settles on the old key's refusal."""


@mutant(
    "any-audience",
    Area.JWT,
    FRONT,
    {"CRA-AUTH-08[issuer]": PASS, "CRA-AUTH-08[audience]": FAIL},
    {"CRA-AUTH-08[audience]": "saw 200"},
)
def any_audience(objects: list[Object]) -> None:
    """Tokens for any audience are accepted, as long as the issuer is right."""
    for body in of_kind(objects, "RequestAuthentication"):
        body["spec"]["jwtRules"][0].pop("audiences", None)


@mutant(
    "keys-swapped",
    Area.KEYS,
    FRONT,
    cases("CRA-AUTH-03", FAIL) | REFUSED_TOKENS,
    {"CRA-AUTH-07[expired]": "twin: CRA-AUTH-03"},
    nightly=True,
)
def keys_swapped(objects: list[Object]) -> None:
    """The gateway has other keys than those that the issuer signs with."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        body["spec"]["jwtRules"][0]["jwks"] = _FOREIGN_JWKS


@mutant("fails-open", Area.KEYS, FRONT, {f"X-KEYS-05[a {kind} token]": FAIL for kind in ("good", "foreign")})
def fails_open(objects: list[Object]) -> None:
    """Without the issuer's keys its tokens are taken on trust: the gateway lets pass what it cannot verify."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        if "issuer-down" in body["spec"]["jwtRules"][0].get("jwksUri", ""):
            body["spec"]["jwtRules"][0] = {"issuer": "no-issuer", "jwks": _FOREIGN_JWKS}
            for policy in of_kind(objects, "AuthorizationPolicy", POLICY):
                policy["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


@mutant("old-key-stays", Area.KEYS, FRONT, cases("X-KEYS-04", FAIL), {"X-KEYS-04": "saw 200"})
def old_key_stays(objects: list[Object]) -> None:
    """The rotation ends, and the old key is still in the set."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        [rule] = body["spec"]["jwtRules"]
        rule["jwksUri"] = rule.get("jwksUri", "").replace("/keys-next", "/keys-both")


@mutant(
    "old-key-published",
    Area.KEYS,
    FRONT,
    {**dict.fromkeys(ROTATION, PASS), **dict.fromkeys(AFTER_OLD_KEY, FAIL)},
    {"X-KEYS-10[old key, too late]": "saw 200"},
    PATIENTLY,
    nightly=True,
)
def old_key_published(objects: list[Object]) -> None:
    """The issuer goes on publishing the old key, at the one URL that it has."""
    for body in of_kind(objects, "Service", "rotating"):
        for port in body["spec"]["ports"]:
            port["targetPort"] = port["targetPort"].replace("next", "both")


@mutant(
    "keys-inline",
    Area.KEYS,
    FRONT,
    dict.fromkeys(ROTATION, FAIL) | dict.fromkeys(ROTATION[:2], PASS),
    {"X-KEYS-09[next key, with the old one]": "settled 3"},
    PATIENTLY,
    nightly=True,
)
class KeysInline(Mutant):
    """The policy contains the old key: nothing fetches keys from the issuer that rotates."""

    def __init__(self) -> None:
        self._old = ""

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "ConfigMap", "issuer"):
            [self._old] = re.findall(r"path: /keys}\n.*inline_string: '(.*)'", body["data"]["envoy.yaml"])
        for body in of_kind(objects, "RequestAuthentication", POLICY):
            [rule] = body["spec"]["jwtRules"]
            if rule.pop("jwksUri", ""):
                rule["jwks"] = self._old
