"""Mutants of the security lab that leave one way open: one place of a request or of its token, one kind of forgery."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

from tests.mutants.authorization.detected import PORTS
from tests.mutants.entry import FAIL, PASS, Area, Place, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import DETECTED, LAB

_POLICY, _NAME = "AuthorizationPolicy", "require-jwt"
_BOTH_CLIENTS = Place(LAB, ("mtls-client", "legacy-client", "mtls-service", "strict-mtls-service"), ("--budget", "4"))
_USUAL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SUBJECT = "testing@secure.istio.io"
Change = Callable[[list[Object]], None]


def _open(name: str, says: str, fails: tuple[str, ...], change: Change, *, area: Area, passes: tuple[str, ...]) -> None:
    def changed(objects: list[Object]) -> None:
        change(objects)

    changed.__doc__ = says
    verdicts = dict.fromkeys(passes, PASS) | dict.fromkeys(fails, FAIL)
    mutant(name, area, _BOTH_CLIENTS, verdicts, nightly=True)(changed)


def _let_in(name: str, says: str, fails: str, **rule: Any) -> None:
    """One more rule lets in what has no token."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, _NAME):
            body["spec"]["rules"].append(rule)

    _open(name, says, (fails,), change, area=Area.AUTHORIZATION, passes=("LAB-AUTHZ-02",))


def _to(**operation: list[str]) -> list[Any]:
    return [{"operation": operation}]


_let_in("no-token-at-another-host", "Requests for another host need no token.", "X-LAB-AUTHZ-PLACE[another host]",
        to=_to(hosts=["*.example.net"]))  # fmt: skip
_let_in("no-token-at-an-address", "Requests for an address need no token.", "X-LAB-AUTHZ-PLACE[a pod's address]",
        to=_to(hosts=["10.*"]))  # fmt: skip
_let_in("no-token-for-health-checks", "A path of health checks needs no token.",
        "X-LAB-AUTHZ-PLACE[a path of health checks]", to=_to(paths=["/status/*"]))  # fmt: skip
_let_in("no-token-of-a-kubelet", "A kubelet needs no token, by its user agent.",
        "X-LAB-AUTHZ-PLACE[a kubelet's user agent]",
        when=[{"key": "request.headers[user-agent]", "values": ["kube-probe/*"]}])  # fmt: skip
_let_in("no-token-of-the-pod-itself", "The pod itself needs no token, and a header says so.",
        "X-LAB-AUTHZ-PLACE[from the pod itself, it says]",
        **{"from": [{"source": {"remoteIpBlocks": ["127.0.0.0/8"]}}]})  # fmt: skip
_let_in("no-token-of-a-neighbour", "Another service of the mesh needs no token.",
        "X-LAB-AUTHZ-EVERY[another client of the mesh]",
        **{"from": [{"source": {"principals": ["*/sa/httpbin"]}}]})  # fmt: skip
_let_in("unusual-methods-without-a-token", "A method that no policy names needs no token.",
        "X-LAB-AUTHZ-EVERY[an unusual method]", to=_to(notMethods=_USUAL))  # fmt: skip


def _expected_in(name: str, says: str, *ways: str, **place: Any) -> None:
    """A token counts in one more place."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "RequestAuthentication", "jwt-example"):
            usual = {"fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}], "fromParams": ["access_token"]}
            for rule in body["spec"]["jwtRules"]:
                for key in usual | place:
                    rule[key] = [*rule.get(key, usual.get(key, [])), *place.get(key, [])]

    fails = tuple(f"X-LAB-AUTHZ-PLACE[{way}]" for way in ways)
    _open(name, says, fails, change, area=Area.JWT, passes=("LAB-AUTHZ-02",))


_expected_in("token-in-one-more-header", "A token in another header counts.", "a token by another header",
             "the allowed path, a token by another header", fromHeaders=[{"name": "x-token"}])  # fmt: skip
_expected_in("token-of-another-scheme", "A token of another scheme counts.", "a token by another scheme",
             fromHeaders=[{"name": "Authorization", "prefix": "Basic "}])  # fmt: skip
_expected_in("token-in-one-more-parameter", "A token in another parameter counts.", "a token by another parameter",
             fromParams=["token"])  # fmt: skip
_expected_in("token-in-a-cookie-too", "A token in a cookie counts too.", "a token by a cookie",
             fromCookies=["token"])  # fmt: skip


def _narrowed(objects: list[Object]) -> list[dict[str, Any]]:
    """Rules of the policy for one method and path."""
    found = (rule for body in of_kind(objects, _POLICY, _NAME) for rule in body["spec"]["rules"])
    return [rule for rule in found if "to" in rule]


def _subjects_that_end_alike(objects: list[Object]) -> None:
    for body in of_kind(objects, _POLICY, _NAME):
        for rule in body["spec"]["rules"]:
            rule["from"] = [{"source": {"requestPrincipals": [f"*{_SUBJECT}"]}}]


def _paths_that_end_alike(objects: list[Object]) -> None:
    for rule in _narrowed(objects):
        rule["to"][0]["operation"]["paths"].append("*/ip")


def _without_an_identity(objects: list[Object]) -> None:
    for body in of_kind(objects, _POLICY, _NAME):
        if rules := _narrowed([body]):
            body["spec"]["rules"].append({"from": [{"source": {"notPrincipals": ["*"]}}], "to": rules[0]["to"]})


_open("subjects-that-end-alike", "The policies take each subject that ends like the one that they are for.",
      ("LAB-AUTHZ-04[prefixed-subject]", "X-LAB-PATH-SUBJECT[prefixed-subject]"), _subjects_that_end_alike,
      area=Area.AUTHORIZATION, passes=("LAB-AUTHZ-04", "LAB-AUTHZ-02"))  # fmt: skip
_open("paths-that-end-alike", "The rule allows each path that ends like the one that it is for.",
      ("X-LAB-PATH-EVERY[last element]",), _paths_that_end_alike, area=Area.AUTHORIZATION,
      passes=("LAB-PATH-02", "X-LAB-PATH-EVERY[other path]"))  # fmt: skip
_open("the-path-without-an-identity", "A client without a sidecar needs no token for the allowed path.",
      ("X-LAB-AUTHZ-PLACE[the allowed path, by a client without sidecar]",), _without_an_identity,
      area=Area.AUTHORIZATION, passes=("LAB-PATH-03",))  # fmt: skip


_READS_HEAD = """
local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local function decoded(text)
  local bits, value, out = 0, 0, {}
  for digit in text:gmatch("[%w_-]") do
    value, bits = value * 64 + digits:find(digit, 1, true) - 1, bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(math.floor(value / 2 ^ bits))
      value = value % 2 ^ bits
    end
  end
  return table.concat(out)
end
function envoy_on_request(handle)
  local token = handle:headers():get("authorization") or ""
  local head = token:match("^Bearer ([^.]+)%.")
  if head ~= nil and decoded(head):find('<text>', 1, true) then handle:headers():remove("authorization") end
end
"""
"""Lua: a token whose header has a text is removed, before tokens are verified."""


def _ignored(name: str, says: str, text: str, *kinds: str) -> None:
    """Some tokens are removed in place of being refused, so that what has one passes as a request without any."""

    def change(objects: list[Object]) -> None:
        found = list(of_kind(objects, "RequestAuthentication", "jwt-example"))
        code = _READS_HEAD.replace("<text>", text)
        objects += [lua(body, code, namespace="mtls-service", app="httpbin") for body in found]

    fails = tuple(f"X-LAB-JWT-FORGED[{kind}]" for kind in kinds)
    _open(name, says, fails, change, area=Area.JWT, passes=("LAB-JWT-01", "LAB-JWT-04[foreign-key]"))


_ignored("unsigned-ones-ignored", "Tokens that say to have no signature are ignored.", '"none"', "unsigned",
         "signature-of-none")  # fmt: skip
_ignored("unknown-keys-ignored", "Tokens of a key that the issuer does not have are ignored.", "-foreign",
         "unknown-key", "unknown-key, keys by URL")  # fmt: skip


def _public_key_is_a_secret(objects: list[Object]) -> None:
    for body in of_kind(objects, "RequestAuthentication", "jwt-example"):
        for rule in body["spec"]["jwtRules"]:
            if "jwks" in rule:
                keys = json.loads(rule["jwks"])["keys"]
                public = next(key for key in keys if key["kty"] == "RSA")
                key = RSAAlgorithm.from_jwk(public)
                assert isinstance(key, RSAPublicKey)
                pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                secret = {"kty": "oct", "alg": "HS256", "kid": public["kid"], "k": base64url_encode(pem).decode()}
                rule["jwks"] = json.dumps({"keys": [*keys, secret]})


def _not_in_the_query(objects: list[Object]) -> None:
    for body in of_kind(objects, "RequestAuthentication", "jwt-example"):
        for rule in body["spec"]["jwtRules"]:
            rule["fromHeaders"] = [{"name": "Authorization", "prefix": "Bearer "}]


def _longer_issuers(objects: list[Object]) -> None:
    for body in of_kind(objects, "RequestAuthentication", "jwt-example"):
        rules = body["spec"]["jwtRules"]
        rules.append(rules[0] | {"issuer": f"{rules[0]['issuer']}.example"})


_open("public-key-is-a-secret", "The issuer's public key counts as a secret that signs.",
      ("X-LAB-JWT-FORGED[signed-with-public-key]",), _public_key_is_a_secret, area=Area.JWT,
      passes=("LAB-JWT-01", "LAB-JWT-03[RS256]"))  # fmt: skip
_open("query-not-looked-at", "A bad token in the query is not looked at.", ("X-LAB-JWT-FORGED[in the query]",),
      _not_in_the_query, area=Area.JWT, passes=("LAB-JWT-01", "LAB-JWT-04[foreign-key]"))  # fmt: skip
_open("longer-issuers-of-the-lab", "Tokens of an issuer whose name begins alike count.",
      ("X-LAB-JWT-FORGED[longer-issuer]", "X-LAB-JWT-FORGED[longer-issuer, keys by URL]"), _longer_issuers,
      area=Area.JWT, passes=("LAB-JWT-01", "LAB-JWT-04[wrong-issuer]"))  # fmt: skip


def _at_detected(name: str, says: str, variant: str, alter: Callable[[list[dict[str, Any]]], None]) -> None:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, "get-ip"):
            alter(body["spec"]["rules"])

    change.__doc__ = says
    fails = {f"X-PORT-02[{port}, {variant}]": FAIL for port in PORTS}
    passes = {f"X-PORT-02[{port}, path]": PASS for port in PORTS}
    mutant(name, Area.AUTHORIZATION, DETECTED, passes | fails, nightly=True)(change)


def _names_that_end_alike(rules: list[dict[str, Any]]) -> None:
    source = rules[1]["from"][0]["source"]
    source["namespaces"] = [f"*{name}" for name in ("mtls-client",)]


_at_detected("detected-port-preflights", "On a port whose protocol is detected, the rule allows OPTIONS next to GET.",
             "preflight", lambda rules: rules[0]["to"][0]["operation"]["methods"].append("OPTIONS"))  # fmt: skip
_at_detected("detected-port-longer-paths", "On a port whose protocol is detected, the rule allows longer paths.",
             "longer path", lambda rules: rules[0]["to"][0]["operation"].update(paths=["/ip*"]))  # fmt: skip
_at_detected("detected-port-any-method", "On a port whose protocol is detected, an identity may use any method.",
             "method, by identity", lambda rules: rules[1]["to"][0]["operation"].pop("methods"))  # fmt: skip
_at_detected("detected-port-namespaces-that-end-alike",
             "On a port whose protocol is detected, the rule takes each namespace that ends like the allowed one.",
             "another identity", _names_that_end_alike)  # fmt: skip
