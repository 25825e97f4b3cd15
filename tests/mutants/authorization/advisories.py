"""Mutants that are open to a published advisory although the release under test is not: the policy lets as much in."""

from __future__ import annotations

import base64
import hashlib
import json

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT, TOKENS

_DOTTED, _LOOKALIKE = "report.v1", "reportxv1"


@mutant(
    "dot-in-account-is-any-letter",
    Area.AUTHORIZATION,
    TOKENS,
    cases("X-CVE-2026-39350-01", FAIL) | cases("X-CVE-2026-39350-02", PASS) | cases("X-CVE-ISTIO-59992-01", PASS),
    {"X-CVE-2026-39350-01": "open to CVE-2026-39350; patched in 1.27.9, 1.28.6, 1.29.2; expected 403"},
    nightly=True,
)
def dot_in_account_is_any_letter(objects: list[Object]) -> None:
    """As before Istio 1.29.2, the accounts of a policy match with any letter for a dot (CVE-2026-39350)."""
    for body in of_kind(objects, "AuthorizationPolicy", "only-report"):
        for rule in body["spec"]["rules"]:
            _lookalikes_too(rule["from"][0]["source"]["serviceAccounts"])


@mutant(
    "dot-in-identity-is-any-letter",
    Area.AUTHORIZATION,
    TOKENS,
    cases("X-CVE-ISTIO-59992-01", FAIL) | cases("X-CVE-ISTIO-59992-02", PASS) | cases("X-CVE-2026-39350-01", PASS),
    {"X-CVE-ISTIO-59992-01": "open to Istio's issue 59992; patched in 1.29.3; expected 403"},
    nightly=True,
)
def dot_in_identity_is_any_letter(objects: list[Object]) -> None:
    """As before Istio 1.29.3, the end of an identity matches with any letter for a dot (Istio's issue 59992)."""
    for body in of_kind(objects, "AuthorizationPolicy", "only-report-orders"):
        for rule in body["spec"]["rules"]:
            _lookalikes_too(rule["from"][0]["source"]["principals"])


@mutant(
    "several-values-of-a-header-are-one",
    Area.AUTHORIZATION,
    TOKENS,
    cases("X-CVE-2026-26308-01", FAIL) | cases("X-CVE-2026-26308-02", PASS) | cases("X-CVE-2026-39350-01", PASS),
    {"X-CVE-2026-26308-01": "open to CVE-2026-26308; patched in 1.27.8, 1.28.5, 1.29.1; expected 403"},
    nightly=True,
)
def several_values_of_a_header_are_one(objects: list[Object]) -> None:
    """As before Envoy's patch, a second value of a header hides the refused one (CVE-2026-26308)."""
    for body in of_kind(objects, "AuthorizationPolicy", "no-admin"):
        for condition in body["spec"]["rules"][0]["when"]:
            condition["notValues"] = ["user"]


@mutant(
    "an-allowed-method-passes-in-any-spelling",
    Area.AUTHORIZATION,
    TOKENS,
    cases("X-CVE-GHSA-W44G-03", FAIL) | cases("X-CVE-GHSA-W44G-04", PASS),
    {"X-CVE-GHSA-W44G-03": "open to GHSA-w44g-8m76-8gc5; patched in 1.29.9; expected 403"},
    nightly=True,
)
def an_allowed_method_passes_in_any_spelling(objects: list[Object]) -> None:
    """The methods that a policy allows are allowed in small letters as well."""
    for body in of_kind(objects, "AuthorizationPolicy", "only-report-orders"):
        for rule in body["spec"]["rules"]:
            operation = rule["to"][0]["operation"]
            if "methods" in operation:
                operation["methods"] += [method.lower() for method in operation["methods"]]


@mutant(
    "a-private-key-stands-for-missing-ones",
    Area.KEYS,
    FRONT,
    cases("X-CVE-2026-31837-01", FAIL) | cases("X-KEYS-06", PASS),
    {"X-CVE-2026-31837-01": "holds a private key for tokens of"},
    nightly=True,
)
def a_private_key_stands_for_missing_ones(objects: list[Object]) -> None:
    """As before Istio 1.29.1, a key with its private part stands for keys that cannot be had (CVE-2026-31837)."""
    modulus = hashlib.shake_256(b"any odd number").digest(255) + b"\x01"
    n = base64.urlsafe_b64encode(b"\x80" + modulus[1:]).decode().rstrip("=")
    key = {"kty": "RSA", "kid": "default", "e": "AQAB", "n": n, "d": "AQAB"}
    for body in of_kind(objects, "RequestAuthentication", "api-origin-auth"):
        for rule in body["spec"]["jwtRules"]:
            if "issuer-down" in rule.get("jwksUri", ""):
                del rule["jwksUri"]
                rule["jwks"] = json.dumps({"keys": [key]})


def _lookalikes_too(names: list[str]) -> None:
    names += [name.replace(_DOTTED, _LOOKALIKE) for name in names]
