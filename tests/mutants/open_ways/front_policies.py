"""Mutants of the front door's other policies that leave one way open: CORS, claims, keys by URL, what is behind it."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import Area
from tests.mutants.mutant import Object, of_kind
from tests.mutants.open_ways.front_door import Change, any_audience, narrowed, one_more_rule, open_way, token_rule

_POLICY, _ORIGIN, _TOKENS = "AuthorizationPolicy", "api-origin-auth", "api-origin-auth"


def _at_cors(name: str, says: str, variant: str, change: Change, area: Area = Area.GATEWAY) -> None:
    """Register one for the manifest of CORS alone: it has a VirtualService of that name."""

    def there(objects: list[Object]) -> None:
        if any(of_kind(objects, "VirtualService", "cors")):
            change(objects)

    open_way(name, says, f"X-DOOR-CORS-{variant}", there, area=area)


def _cors(**stated: Any) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "VirtualService", "cors"):
            body["spec"]["http"][0]["corsPolicy"].update(stated)

    return change


def _no_origin(objects: list[Object]) -> None:
    for body in of_kind(objects, "VirtualService", "cors"):
        body["spec"]["http"][0]["corsPolicy"]["allowOrigins"].append({"exact": "null"})


_WITHOUT = "02[request without a token, {}]"
_at_cors("cors-at-any-port", "A port in the host needs no token of pages.", _WITHOUT.format("host with its port"),
         narrowed(_ORIGIN, hosts=["cors.example.com"]))  # fmt: skip
_at_cors("cors-over-tls", "Pages need no token over TLS.", _WITHOUT.format("over TLS"),
         narrowed(_ORIGIN, ports=["8080"]))  # fmt: skip
_at_cors("cors-for-reading", "Pages need a token to read, and none to write.", _WITHOUT.format("by another method"),
         narrowed(_ORIGIN, without=["notMethods"], methods=["GET"]))  # fmt: skip
_at_cors("cors-for-one-path", "Pages need a token for one path of the API.", _WITHOUT.format("another path"),
         narrowed(_ORIGIN, paths=["/api/secure.json"]))  # fmt: skip
_at_cors("cors-for-any-audience", "Pages may send tokens for any audience.",
         "02[request with a token for another audience]", token_rule(_TOKENS, any_audience), Area.JWT)  # fmt: skip
_at_cors("cors-for-no-origin", "Pages without an origin may call the API.", "02[preflight of a page of no origin]",
         _no_origin)  # fmt: skip
_at_cors("cors-exposes-headers", "Pages may read further headers of the answer.", "01[request with a token]",
         _cors(exposeHeaders=["x-served-by"]))  # fmt: skip


def _claim(**match: str) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "VirtualService", "by-claim"):
            body["spec"]["http"][0]["match"][0]["headers"]["@request.auth.claims.groups"] = match

    return change


def _at_claims(objects: list[Object]) -> None:
    if any(of_kind(objects, "VirtualService", "by-claim")):
        token_rule(_TOKENS, any_audience)(objects)


_ALIKE = "X-DOOR-CLAIM-02[a group whose name begins and ends alike]"
open_way("route-by-a-groups-beginning", "Groups that begin like the testers' are routed like them.", _ALIKE,
         _claim(prefix="testers"), area=Area.GATEWAY)  # fmt: skip
open_way("route-by-a-groups-end", "Groups that end like the testers' are routed like them.", _ALIKE,
         _claim(regex=".*testers"), area=Area.GATEWAY)  # fmt: skip
open_way("route-for-any-audience", "Tokens for any audience route like the testers'.",
         "X-DOOR-CLAIM-02[a token for another audience]", _at_claims, area=Area.JWT)  # fmt: skip


def _also(**places: Any) -> Change:
    def alter(rule: dict[str, Any]) -> None:
        if "fromCookies" in rule:
            for name, added in places.items():
                rule[name] = [*rule[name], added]

    return token_rule(_TOKENS, alter)


def _of_any_audience(rule: dict[str, Any]) -> None:
    if "fromCookies" in rule:
        any_audience(rule)


open_way("also-in-the-usual-parameter", "Besides the named places, a token in the usual parameter counts.",
         "X-DOOR-TOKEN-02[the usual parameter]", _also(fromParams="access_token"), area=Area.JWT)  # fmt: skip
open_way("also-in-another-header", "Besides the named places, a token in another header counts.",
         "X-DOOR-TOKEN-02[another header]", _also(fromHeaders={"name": "x-other"}), area=Area.JWT)  # fmt: skip
open_way("named-places-for-any-audience", "In the named places a token for any audience counts.",
         "X-DOOR-TOKEN-02[for another audience]", token_rule(_TOKENS, _of_any_audience), area=Area.JWT)  # fmt: skip


def _by_url(name: str, says: str, keys: str, fails: str) -> None:
    open_way(name, says, fails, token_rule(_TOKENS, any_audience, keys=keys), area=Area.KEYS)


def _two_issuers(number: int) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "RequestAuthentication", _TOKENS):
            if len(rules := body["spec"]["jwtRules"]) == 2:
                any_audience(rules[number])

    return change


_by_url("any-audience-by-url", "With keys by URL, tokens for any audience count.", r"//issuer\..*/keys$",
        "X-KEYS-02[another audience]")  # fmt: skip
_by_url("any-audience-during-a-rotation", "During a rotation tokens for any audience count.", "/keys-both$",
        "X-KEYS-02[another audience, during a rotation]")  # fmt: skip
_by_url("any-audience-after-a-rotation", "After a rotation tokens for any audience count.", "/keys-next$",
        "X-KEYS-02[another audience, after a rotation]")  # fmt: skip
_by_url("any-audience-of-the-rotating-issuer", "Tokens of the issuer that rotates count for any audience.",
        r"//rotating\.", "X-KEYS-10[another audience]")  # fmt: skip
open_way("first-issuer-for-any-audience", "Of two issuers, the first one's tokens count for any audience.",
         "X-KEYS-08[first issuer, another audience]", _two_issuers(0), area=Area.JWT)  # fmt: skip
open_way("second-issuer-for-any-audience", "Of two issuers, the second one's tokens count for any audience.",
         "X-KEYS-08[second issuer, another audience]", _two_issuers(1), area=Area.JWT)  # fmt: skip
open_way("longer-issuers-by-url", "With keys by URL, tokens of an issuer that begins alike count.",
         "X-KEYS-02[another issuer]", one_more_rule(_TOKENS, issuer="{}-2".format), area=Area.KEYS)  # fmt: skip


def _let_in(**rule: Any) -> Change:
    """One more rule of the back end's policy."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, "backend-behind-gateway"):
            body["spec"]["rules"].append(rule)

    return change


def _past(name: str, says: str, variant: str, **rule: Any) -> None:
    open_way(name, says, f"X-FRONT-PAST-03[{variant}]", _let_in(**rule), calm="X-FRONT-PAST-01")


_past("past-with-a-header", "The back end believes a header that the gateway adds.", "with the gateway's headers",
      when=[{"key": "request.headers[x-forwarded-for]", "values": ["198.51.100.*"]}])  # fmt: skip
_past("past-with-a-token", "The back end lets in whatever has a token.", "with a token",
      when=[{"key": "request.headers[authorization]", "values": ["Bearer *"]}])  # fmt: skip
_past("past-for-the-health-path", "The back end's health path is open to the mesh.", "for the health path",
      to=[{"operation": {"paths": ["/api/healthz"]}}])  # fmt: skip
_past("past-by-other-methods", "The back end asks for the gateway's identity of GET alone.", "by another method",
      to=[{"operation": {"notMethods": ["GET"]}}])  # fmt: skip


def _method_open(**operation: list[str]) -> Change:
    return narrowed("channels", 1, **operation)


open_way("grpc-method-over-tls", "The method that no client may call is open over TLS.", "X-GRPC-04[over TLS]",
         _method_open(ports=["8080"]), calm="X-GRPC-04")  # fmt: skip
open_way("grpc-method-with-a-port", "A port in the host opens the method that no client may call.",
         "X-GRPC-04[host with its port]", _method_open(hosts=["cart.example.com"]), calm="X-GRPC-04")  # fmt: skip
