"""Mutants that are open to a published advisory although the release under test is not: the policy lets as much in."""

from __future__ import annotations

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import TOKENS

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
)
def several_values_of_a_header_are_one(objects: list[Object]) -> None:
    """As before Envoy's patch, a second value of a header hides the refused one (CVE-2026-26308)."""
    for body in of_kind(objects, "AuthorizationPolicy", "no-admin"):
        for condition in body["spec"]["rules"][0]["when"]:
            condition["notValues"] = ["user"]


def _lookalikes_too(names: list[str]) -> None:
    names += [name.replace(_DOTTED, _LOOKALIKE) for name in names]
