"""Mutants of the front door whose policies leave one way open: one place, one host, one port, one method, one page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT

Change = Callable[[list[Object]], None]
_POLICY = "AuthorizationPolicy"
_USUAL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_KNOWN_HOSTS = ["shop.example.com", "shop.example.com:*", "other.example.net", "istio-ingress.*", "front-door.*"]
_DOORS = {"api-origin-auth": ("X-FRONT-TOKEN", ""), "front-door": ("X-GWAPI-TOKEN", "-of-a-gateway")}
"""Policy → the beginning of its controls' ids, and the end of its mutants' names."""


def open_way(
    name: str, says: str, fails: str, change: Change, *, area: Area = Area.AUTHORIZATION, calm: str = ""
) -> None:
    """Register a mutant that one case notices; `calm` is the control's case without a variant, which passes."""

    def changed(objects: list[Object]) -> None:
        change(objects)

    changed.__doc__ = says
    mutant(name, area, FRONT, {fails: FAIL} | ({calm: PASS} if calm else {}), nightly=True)(changed)


def narrowed(policy: str, rule: int = 0, *, without: Sequence[str] = (), **operation: list[str]) -> Change:
    """The operation of a rule with these fields, and without some that it has."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, policy):
            stated = body["spec"]["rules"][rule]["to"][0]["operation"]
            for name in without:
                stated.pop(name, None)
            stated.update(operation)

    return change


def token_rule(name: str, alter: Callable[[dict[str, Any]], None], *, keys: str = "") -> Change:
    """A rule for tokens that is altered; only of policies whose keys have such a URL, where one is given."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "RequestAuthentication", name):
            rules = body["spec"]["jwtRules"]
            if re.search(keys, rules[0].get("jwksUri", "")):
                alter(rules[0])

    return change


def any_audience(rule: dict[str, Any]) -> None:
    """Tokens for every audience count."""
    rule.pop("audiences")


def one_more_rule(name: str, **alter: Callable[[str], Any]) -> Change:
    """A second rule for tokens, like the first but for some fields."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "RequestAuthentication", name):
            rules = body["spec"]["jwtRules"]
            rules.append(rules[0] | {key: make(rules[0].get(key, "")) for key, make in alter.items()})

    return change


def _longer(rule: dict[str, Any]) -> None:
    rule["audiences"] = [*rule["audiences"], *(f"{name}-of-{name}" for name in rule["audiences"])]


def _in_a_cookie(rule: dict[str, Any]) -> None:
    rule["fromHeaders"], rule["fromCookies"] = [{"name": "Authorization", "prefix": "Bearer "}], ["token"]
    rule["fromParams"] = ["access_token"]


def _in_another_parameter(rule: dict[str, Any]) -> None:
    rule["fromHeaders"] = [{"name": "Authorization", "prefix": "Bearer "}]
    rule["fromParams"] = ["access_token", "token"]


def _at_a_door(
    name: str, says: str, fails: str, make: Callable[[str], Change], area: Area = Area.AUTHORIZATION
) -> None:
    """The same at the gateway of either API."""
    for policy, (control, end) in _DOORS.items():
        where = "the ingress gateway" if not end else "the Gateway of Kubernetes' API"
        open_way(f"{name}{end}", f"At {where}, {says}", f"{control}-{fails}", make(policy), area=area)


_at_a_door("usual-methods-only", "a token is required of the usual methods.", "03[PROPFIND]",
           lambda policy: narrowed(policy, methods=_USUAL))  # fmt: skip
_at_a_door("known-hosts-only", "a token is required at the hosts that its author knows.", "03[host with a full stop]",
           lambda policy: narrowed(policy, hosts=_KNOWN_HOSTS))  # fmt: skip
_at_a_door("longer-audiences-too", "tokens count for an audience that begins and ends alike.", "01[longer-audience]",
           lambda policy: token_rule(policy, _longer), Area.JWT)  # fmt: skip
_at_a_door("longer-issuers-too", "tokens of an issuer that begins alike count.", "01[longer-issuer]",
           lambda policy: one_more_rule(policy, issuer="{}-2".format), Area.JWT)  # fmt: skip
_at_a_door("a-token-in-a-cookie", "a token in a cookie counts.", "01[cookie]",
           lambda policy: token_rule(policy, _in_a_cookie), Area.JWT)  # fmt: skip
_at_a_door("a-token-in-another-parameter", "a token in another parameter of the query counts.", "01[other parameter]",
           lambda policy: token_rule(policy, _in_another_parameter), Area.JWT)  # fmt: skip


def _of_who_and_what(name: str, says: str, variant: str, change: Change) -> None:
    open_way(name, says, f"X-DOOR-AUTHZ-01[{variant}]", change)


_WHO = "who-and-what"
_of_who_and_what("host-rule-for-reading", "The rule on hosts is for GET.", "host, by another method",
                 narrowed(_WHO, 0, methods=["GET"]))  # fmt: skip
_of_who_and_what("host-rule-at-one-port", "The rule on hosts is for what comes without TLS.", "host over TLS",
                 narrowed(_WHO, 0, ports=["8080"]))  # fmt: skip
_of_who_and_what("host-rule-with-a-port", "The rule on hosts names one of them with a port alone.",
                 "host without a port, where the rule names both",
                 narrowed(_WHO, 0, hosts=["admin.example.com", "safe.example.com:*"]))  # fmt: skip
_of_who_and_what("method-rule-at-one-port", "The rule on methods is for what comes without TLS.", "method over TLS",
                 narrowed(_WHO, 1, ports=["8080"]))  # fmt: skip
_of_who_and_what("method-rule-for-the-api", "The rule on methods is for the API.", "method for another page",
                 narrowed(_WHO, 1, paths=["/api/*"]))  # fmt: skip
_of_who_and_what("template-rule-for-reading", "The rule by a template of the path is for GET.",
                 "template of the path, by another method", narrowed(_WHO, 2, methods=["GET"]))  # fmt: skip
_of_who_and_what("template-rule-at-one-host", "The rule by a template of the path is for one host.",
                 "template of the path, another host", narrowed(_WHO, 2, hosts=["shop.example.com"]))  # fmt: skip
_of_who_and_what("address-rule-for-reading", "The rule on addresses is for GET.",
                 "address of the client, by another method", narrowed(_WHO, 3, methods=["GET"]))  # fmt: skip


def _asks(name: str, says: str, variant: str, change: Change) -> None:
    open_way(name, says, f"X-CUSTOM-02[{variant}]", change)


def _asks_about_outside(objects: list[Object]) -> None:
    for body in of_kind(objects, _POLICY, "ext-authz"):
        body["spec"]["rules"][0]["from"] = [{"source": {"notIpBlocks": ["10.0.0.0/8"]}}]


_ASKS = "ext-authz"
_asks("ext-authz-not-for-preflights", "The external authorization server is not asked about OPTIONS.", "OPTIONS",
      narrowed(_ASKS, notMethods=["OPTIONS"]))  # fmt: skip
_asks("ext-authz-without-a-port", "The external authorization server is asked about hosts without a port.",
      "host with its port", narrowed(_ASKS, notHosts=["*:80"]))  # fmt: skip
_asks("ext-authz-not-below-the-health-path", "The external authorization server is not asked below the health path.",
      "slash after the health path", narrowed(_ASKS, notPaths=["/api/healthz*"]))  # fmt: skip
_asks("ext-authz-not-for-pods", "The external authorization server is not asked about requests of pods.",
      "from a pod of the mesh", _asks_about_outside)  # fmt: skip
open_way("deletion-over-tls", "What the server allows may delete over TLS.", "X-CUSTOM-06[over TLS]",
         narrowed("no-deletion", ports=["8080"]), calm="X-CUSTOM-06")  # fmt: skip
open_way("deletion-of-other-pages", "DELETE is refused for the API alone.", "X-CUSTOM-06[for another page]",
         narrowed("no-deletion", paths=["/api/*"]), calm="X-CUSTOM-06")  # fmt: skip
