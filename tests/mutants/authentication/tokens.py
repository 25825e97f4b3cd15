"""Mutants of tokens: what is accepted as one, and where it is looked for."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT, IAP, TOKENS

_REQUESTS = "RequestAuthentication"
_DROPS_TOKEN = """
function envoy_on_request(handle)
  handle:headers():remove("authorization")
end
"""
_IGNORES_BAD_ONES = """
function envoy_on_request(handle)
  local token = handle:headers():get("authorization")
  if token ~= nil and #token < 40 then
    handle:headers():remove("authorization")
  end
end
"""


def _rules(objects: list[Object], name: str) -> list[dict[str, Any]]:
    return [rule for body in of_kind(objects, _REQUESTS, name) for rule in body["spec"]["jwtRules"]]


@mutant("issuer-misspelt", Area.JWT, TOKENS, {"LAB-JWT-03[RS256]": FAIL} | cases("LAB-JWT-02", PASS), nightly=True)
def issuer_misspelt(objects: list[Object]) -> None:
    """The issuer's name has a slash too many, so the tokens are of an unknown issuer."""
    for rule in _rules(objects, "jwt-example"):
        rule["issuer"] += "/"


@mutant("authentication-lost", Area.JWT, TOKENS, cases("LAB-JWT-01", FAIL) | {"LAB-JWT-04[*]": FAIL}, nightly=True)
def authentication_lost(objects: list[Object]) -> None:
    """The policy selects no pod, so no token is verified."""
    for body in of_kind(objects, _REQUESTS, "jwt-example"):
        body["spec"]["selector"]["matchLabels"]["app"] = "httpbim"


@mutant("another-header", Area.JWT, TOKENS, cases("LAB-JWT-01", FAIL), nightly=True)
def another_header(objects: list[Object]) -> None:
    """The token is expected in another header than the one that clients use, so a bad one passes as none."""
    for rule in _rules(objects, "jwt-example"):
        rule["fromHeaders"] = [{"name": "x-token"}]


@mutant("token-dropped-on-the-way", Area.JWT, TOKENS, cases("LAB-JWT-01", FAIL), nightly=True)
def token_dropped_on_the_way(objects: list[Object]) -> None:
    """A filter removes tokens before they are verified, so that bad ones pass."""
    objects.extend(
        lua(body, _DROPS_TOKEN, namespace="mtls-service", app="httpbin")
        for body in list(of_kind(objects, _REQUESTS, "jwt-example"))
    )


@mutant(
    "malformed-ones-ignored",
    Area.JWT,
    TOKENS,
    cases("LAB-JWT-01", FAIL),
    {"LAB-JWT-01": "saw 200"},
    nightly=True,
)
def malformed_ones_ignored(objects: list[Object]) -> None:
    """A filter removes what is no token at all before tokens are verified; forged ones are still refused."""
    objects.extend(
        lua(body, _IGNORES_BAD_ONES, namespace="mtls-service", app="httpbin")
        for body in list(of_kind(objects, _REQUESTS, "jwt-example"))
    )


@mutant(
    "verified-token-handed-on",
    Area.JWT,
    TOKENS,
    {f"LAB-JWT-03[{algorithm}]": FAIL for algorithm in ("RS256", "ES256")}
    | cases("X-JWKS-01", FAIL)
    | cases("LAB-JWT-01 02", PASS),
    {"LAB-JWT-03[RS256]": "the server received header Authorization"},
    nightly=True,
)
def verified_token_handed_on(objects: list[Object]) -> None:
    """The server's sidecar hands the token that it has verified to the application."""
    for rule in _rules(objects, "jwt-example"):
        rule["forwardOriginalToken"] = True


@mutant("another-principal", Area.JWT, TOKENS, cases("LAB-AUTHZ-01", FAIL), {"LAB-AUTHZ-01": "saw 403"}, nightly=True)
def another_principal(objects: list[Object]) -> None:
    """The rule expects another subject than the tokens have."""
    for body in of_kind(objects, "AuthorizationPolicy", "require-jwt"):
        [source] = (one["source"] for one in body["spec"]["rules"][0]["from"])
        source["requestPrincipals"] = ["testing@secure.istio.io/other@secure.istio.io"]


@mutant("audience-misspelt", Area.JWT, FRONT, cases("CRA-AUTH-03", FAIL), nightly=True)
def audience_misspelt(objects: list[Object]) -> None:
    """The audience that the gateway demands is not the one of its tokens."""
    for rule in _rules(objects, "api-origin-auth"):
        rule["audiences"] = [f"{name}s" for name in rule["audiences"]]  # Envoy ignores a slash at the end


@mutant(
    "also-where-tokens-usually-are",
    Area.JWT,
    FRONT,
    {"X-DOOR-TOKEN-02[where tokens usually are]": FAIL, "X-DOOR-TOKEN-01[header]": PASS},
    {"X-DOOR-TOKEN-02[where tokens usually are]": "saw 200"},
    nightly=True,
)
def also_where_tokens_usually_are(objects: list[Object]) -> None:
    """Besides the named places, the token is accepted where tokens usually are."""
    for rule in _rules(objects, "api-origin-auth"):
        rule.get("fromHeaders", []).append({"name": "Authorization", "prefix": "Bearer "})


@mutant("cookie-not-read", Area.JWT, FRONT, {"X-DOOR-TOKEN-01[cookie]": FAIL}, nightly=True)
def cookie_not_read(objects: list[Object]) -> None:
    """The token is looked for in a cookie of another name."""
    for rule in _rules(objects, "api-origin-auth"):
        if rule.pop("fromCookies", ()):
            rule["fromCookies"] = ["sessions"]


@mutant(
    "issuers-share-keys",
    Area.KEYS,
    FRONT,
    {f"X-KEYS-08[{which}]": FAIL for which in ("first issuer, key of the second", "second issuer, key of the first")},
    nightly=True,
)
def issuers_share_keys(objects: list[Object]) -> None:
    """Each of two issuers may sign with the other's key."""
    rules = _rules(objects, "api-origin-auth")
    if len(rules) == 2:
        keys = [key for rule in rules for key in json.loads(rule["jwks"])["keys"]]
        for rule in rules:
            rule["jwks"] = json.dumps({"keys": keys})


@mutant("next-key-too-early", Area.KEYS, FRONT, {"X-KEYS-02[not yet published]": FAIL}, nightly=True)
def next_key_too_early(objects: list[Object]) -> None:
    """The gateway accepts a key that the issuer has not published yet."""
    for rule in _rules(objects, "api-origin-auth"):
        if re.search(r"/keys$", rule.get("jwksUri", "")):
            rule["jwksUri"] += "-both"


@mutant(
    "next-key-too-late",
    Area.KEYS,
    FRONT,
    {"X-KEYS-03[new key]": FAIL, "X-KEYS-03[old key]": PASS},
    nightly=True,
)
def next_key_too_late(objects: list[Object]) -> None:
    """During a rotation the gateway goes on with the old set, which lacks the next key."""
    for rule in _rules(objects, "api-origin-auth"):
        rule["jwksUri"] = rule.get("jwksUri", "").replace("/keys-both", "/keys")


@mutant(
    "token-not-forwarded",
    Area.JWT,
    IAP,
    cases("IAP-RCT-07", FAIL),
    {"IAP-RCT-07": "no token arrived"},
    nightly=True,
)
def token_not_forwarded(objects: list[Object]) -> None:
    """The gateway keeps the token to itself, which workloads behind it need."""
    for rule in _rules(objects, "ingressgateway"):
        rule["forwardOriginalToken"] = False


@mutant("prefix-lost", Area.JWT, IAP, cases("IAP-RCT-01", FAIL), nightly=True)
def prefix_lost(objects: list[Object]) -> None:
    """The header's value is taken for the token, with its prefix."""
    for rule in _rules(objects, "ingressgateway"):
        for header in rule["fromHeaders"]:
            header.pop("prefix", None)


@mutant("claim-not-handed-on", Area.JWT, IAP, {"X-IAP-HEADER-01[*]": FAIL}, nightly=True)
def claim_not_handed_on(objects: list[Object]) -> None:
    """The user's header is not overwritten by the token's claim: a client can pretend to be another user."""
    for rule in _rules(objects, "ingressgateway"):
        rule.pop("outputClaimToHeaders")


@mutant("any-audience-of-iap", Area.JWT, IAP, cases("IAP-RCT-02", FAIL), nightly=True)
def any_audience_of_iap(objects: list[Object]) -> None:
    """Tokens of IAP for other backends are accepted."""
    for rule in _rules(objects, "ingressgateway"):
        rule.pop("audiences")


@mutant("two-policies", Area.JWT, TOKENS, cases("LAB-AUTHZ-04", FAIL), {"LAB-AUTHZ-04": "saw 200"}, nightly=True)
def two_policies(objects: list[Object]) -> None:
    """A second policy of a colleague allows any token: policies of one action add up."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        second = copy.deepcopy(body)
        second["metadata"]["name"] = "colleague"
        second["spec"]["rules"] = [{"from": [{"source": {"requestPrincipals": ["*"]}}]}]
        objects.append(second)
