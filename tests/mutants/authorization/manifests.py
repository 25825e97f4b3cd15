"""Mutants that apply other objects than those of the manifests: the mesh works, its policies are wrong."""

from __future__ import annotations

import copy
import json

from clients.identity.tokens import TokenIssuer
from tests.mutants.entry import FAIL, LOST, PASS, Area, Place, cases, mutant
from tests.mutants.filters import REFUSED_AFTERWARDS, lua
from tests.mutants.mutant import Object, document_namespace, of_kind
from tests.mutants.places import COUNTED, LAB, MESH, STRICT, TOKENS

_FOREIGN_JWKS = TokenIssuer().jwks_json()
_FAKED_DENIAL = (
    """
function envoy_on_request(handle)
  local anonymous = handle:headers():get("authorization") == nil
  handle:streamInfo():dynamicMetadata():set("meshproof.mutant", "anonymous", anonymous)
end
"""
    + REFUSED_AFTERWARDS
)


@mutant(
    "not-injected",
    Area.INJECTION,
    MESH,
    cases("LAB-SETUP-02", PASS)
    | cases("LAB-SETUP-03", FAIL)
    | cases("LAB-PERM-01 03", PASS)
    | cases("LAB-XFCC-01 03", FAIL)
    | cases("LAB-MTLS-01 02 03 04", FAIL),
    {"LAB-SETUP-03": "has containers httpbin", "LAB-XFCC-03": "twin:", "LAB-MTLS-03": "settled 1"},
)
def not_injected(objects: list[Object]) -> None:
    """The server's namespace is not injected."""
    for body in of_kind(objects, "Namespace"):
        if document_namespace(body) == "mtls-service":
            body["metadata"]["labels"] |= {"istio-injection": "disabled"}
            body["metadata"]["labels"].pop("istio.io/rev", None)


@mutant(
    "port-exempt",
    Area.MTLS,
    STRICT,
    cases("LAB-NSMTLS-01", PASS) | cases("LAB-NSMTLS-02 03 04", FAIL),
    {"LAB-NSMTLS-03": "expected 000 reset (56), saw 200"},
    nightly=True,
)
def port_exempt(objects: list[Object]) -> None:
    """STRICT, but not on the port that httpbin listens on."""
    for body in of_kind(objects, "PeerAuthentication", "restricted-mtls"):
        body["spec"]["selector"] = {"matchLabels": {"app": "httpbin"}}
        body["spec"]["portLevelMtls"] = {"8080": {"mode": "PERMISSIVE"}}


@mutant(
    "matches-nothing",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-01 02 03 04", FAIL),
    {"LAB-AUTHZ-02": "saw 200"},
    nightly=True,
)
def matches_nothing(objects: list[Object]) -> None:
    """A selector with a typo: the policy is accepted, and selects no pod."""
    for body in of_kind(objects, "AuthorizationPolicy", "require-jwt"):
        body["spec"]["selector"]["matchLabels"]["app"] = "httpbim"


@mutant(
    "wrong-namespace", Area.MTLS, STRICT, cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "saw 200"}, nightly=True
)
def wrong_namespace(objects: list[Object]) -> None:
    """The policy of one namespace is in its neighbour."""
    for body in of_kind(objects, "PeerAuthentication", "restricted-mtls"):
        meta = body["metadata"]
        meta["namespace"] = meta["namespace"].removesuffix("strict-mtls-service") + "mtls-service"


@mutant(
    "root-namespace",
    Area.MTLS,
    STRICT,
    cases("LAB-NSMTLS-02", FAIL) | cases("LAB-NSMTLS-03 04", PASS),
    {"LAB-NSMTLS-02": "saw 000 reset (56)"},
    nightly=True,
)
def root_namespace(objects: list[Object]) -> None:
    """The policy of one namespace is in the root namespace, and so applies to the whole mesh."""
    for body in of_kind(objects, "PeerAuthentication", "restricted-mtls"):
        body["metadata"]["namespace"] = "istio-system"


@mutant(
    "wrong-key",
    Area.KEYS,
    TOKENS,
    cases("LAB-JWT-01", FAIL) | cases("LAB-JWT-02", PASS) | {"LAB-JWT-03[RS256]": FAIL},
    {"LAB-JWT-01": "twin: LAB-JWT-03 expected 200, saw 401", "LAB-JWT-03[RS256]": "saw 401"},
    ("-k", "not ES256"),
    nightly=True,
)
def wrong_key(objects: list[Object]) -> None:
    """The mesh has other keys than those that the issuer signs with."""
    for body in of_kind(objects, "RequestAuthentication"):
        body["spec"]["jwtRules"][0]["jwks"] = _FOREIGN_JWKS


@mutant(
    "any-token",
    Area.JWT,
    TOKENS,
    cases("LAB-AUTHZ-01 02 03", PASS) | cases("LAB-AUTHZ-04", FAIL),
    {"LAB-AUTHZ-04": "saw 200"},
    nightly=True,
)
def any_token(objects: list[Object]) -> None:
    """Any valid token is accepted, whatever its subject."""
    for body in of_kind(objects, "AuthorizationPolicy", "require-jwt"):
        body["spec"]["rules"][0]["from"][0]["source"]["requestPrincipals"] = ["*"]


@mutant(
    "two-rules",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-PATH-01 02 03 04", FAIL),
    {"LAB-PATH-02": "saw 200"},
    nightly=True,
)
def two_rules(objects: list[Object]) -> None:
    """`to` in a rule of its own: token or path, instead of token and path."""
    for body in of_kind(objects, "AuthorizationPolicy", "require-jwt"):
        [rule] = body["spec"]["rules"]
        if "to" in rule:
            body["spec"]["rules"] = [{"from": rule["from"]}, {"to": rule["to"]}]


@mutant(
    "copy-stays",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-CLEAN-01 02", FAIL),
    {"LAB-CLEAN-01": "saw 403", "LAB-CLEAN-02": "twin: LAB-CLEAN-01 expected 200, saw 403"},
    nightly=True,
)
def copy_stays(objects: list[Object]) -> None:
    """A second policy of the same content survives the deletion of the first: it comes with another manifest."""
    for body in list(of_kind(objects, "RequestAuthentication", "jwt-example")):
        twin = copy.deepcopy(body)
        twin["kind"], twin["metadata"]["name"] = "AuthorizationPolicy", "require-jwt-copy"
        source = {"source": {"requestPrincipals": ["testing@secure.istio.io/testing@secure.istio.io"]}}
        twin["spec"] = {"selector": body["spec"]["selector"], "action": "ALLOW", "rules": [{"from": [source]}]}
        objects.append(twin)


@mutant(
    "faked-denial",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "refused requests reached the backend"},
)
def faked_denial(objects: list[Object]) -> None:
    """No policy, but a filter that lets the backend answer and then replaces that by 403 where no token was sent."""
    matches_nothing(objects)
    policies = list(of_kind(objects, "AuthorizationPolicy", "require-jwt"))
    where = {"namespace": "mtls-service", "app": "httpbin", "name": "faked-denial"}
    objects.extend(lua(body, _FAKED_DENIAL, **where) for body in policies)


@mutant(
    "deny-all",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-01 02", FAIL),
    {"LAB-AUTHZ-01": "saw 403", "LAB-AUTHZ-02": "twin: LAB-AUTHZ-01 expected 200, saw 403"},
    nightly=True,
)
def deny_all(objects: list[Object]) -> None:
    """A second policy that refuses every request, in force no later than the first: it is applied before it."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        meta = {**copy.deepcopy(body["metadata"]), "name": "deny-all"}
        objects.insert(0, {**body, "metadata": meta, "spec": {"action": "DENY", "rules": [{}]}})


@mutant(
    "caller-not-counted",
    Area.CLIENT,
    COUNTED,
    cases("LAB-DASH-01", FAIL) | cases("LAB-DASH-02", PASS),
    {"LAB-DASH-01": "counted as the other caller's"},
    nightly=True,
)
def caller_not_counted(objects: list[Object]) -> None:
    """The dry run that counts callers names an identity that does not exist."""
    for body in of_kind(objects, "AuthorizationPolicy", "caller-is-sleep"):
        text = json.dumps(body["spec"]).replace("/sa/sleep", "/sa/no-such-account")
        body["spec"] = json.loads(text)


@mutant(
    "typo-in-policy",
    Area.MTLS,
    STRICT,
    cases("LAB-NSMTLS-03", LOST),
    {"LAB-NSMTLS-03": "lab/namespace-strict/restricted-mtls.yaml"},
    nightly=True,
)
def typo_in_policy(objects: list[Object]) -> None:
    """A field that no API has, in the stage's own manifest."""
    for body in of_kind(objects, "PeerAuthentication"):
        body["spec"]["mtsl"] = body["spec"].pop("mtls")


@mutant(
    "typo-in-environment",
    Area.BACKEND,
    Place(LAB),
    cases("LAB-PERM-01", LOST),
    {"LAB-PERM-01": "lab/environment/"},
    nightly=True,
)
def typo_in_environment(objects: list[Object]) -> None:
    """A field that no API has, in the environment of every stage."""
    for body in of_kind(objects, "Deployment"):
        body["spec"]["replica"] = body["spec"].pop("replicas")
