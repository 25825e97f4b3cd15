"""Mutants behind IAP, of the traps and of the shop that leave one way open, or take one name for another like it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, Place, mutant
from tests.mutants.mutant import Object, document_namespace, of_kind
from tests.mutants.places import BOUTIQUE, IAP, TRAPS

Change = Callable[[list[Object]], None]
_POLICY, _REQUESTS, _GATEWAY, _CLAIMS = (
    "AuthorizationPolicy",
    "RequestAuthentication",
    "ingressgateway",
    "context-aware",
)
_USUAL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_KNOWN_HOSTS = ["books.example.com", "books.example.com:*", "other.example.net", "istio-ingressgateway.*"]


def _open(name: str, says: str, fails: str, change: Change, *, area: Area = Area.AUTHORIZATION, place: Place = IAP,
          calm: str = "") -> None:  # fmt: skip
    def changed(objects: list[Object]) -> None:
        change(objects)

    changed.__doc__ = says
    mutant(name, area, place, {fails: FAIL} | ({calm: PASS} if calm else {}), nightly=True)(changed)


def _token(alter: Callable[[list[dict[str, Any]]], None]) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _REQUESTS, _GATEWAY):
            alter(body["spec"]["jwtRules"])

    return change


def _also(**place: Any) -> Change:
    def alter(rules: list[dict[str, Any]]) -> None:
        for name, added in place.items():
            rules[0][name] = [*rules[0].get(name, []), added]

    return _token(alter)


def _longer_audiences(rules: list[dict[str, Any]]) -> None:
    rules[0]["audiences"] = [*rules[0]["audiences"], *(f"{name}-of-{name}" for name in rules[0]["audiences"])]


def _longer_issuers(rules: list[dict[str, Any]]) -> None:
    rules.append(rules[0] | {"issuer": f"{rules[0]['issuer']}-2"})


_open("iaps-longer-audiences-too", "IAP's tokens count for an audience that begins and ends alike.",
      "IAP-RCT-02[longer]", _token(_longer_audiences), area=Area.JWT, calm="IAP-RCT-02")  # fmt: skip
_open("iaps-longer-issuers-too", "Tokens of an issuer that begins like IAP count.", "IAP-RCT-06[longer-issuer]",
      _token(_longer_issuers), area=Area.JWT, calm="IAP-RCT-06[wrong-issuer]")  # fmt: skip
for _name, _how, _variant, _place in (
    ("bearer", "as a bearer token, in IAP's header", "by another scheme",
     {"fromHeaders": {"name": "ingress-authorization", "prefix": "Bearer "}}),
    ("query", "in the query", "in the query", {"fromParams": "access_token"}),
    ("cookie", "in a cookie", "in a cookie", {"fromCookies": "token"}),
):  # fmt: skip
    _open(f"iaps-token-as-{_name}", f"IAP's token counts {_how} as well.", f"IAP-RCT-05[{_variant}]", _also(**_place),
          area=Area.JWT, calm="IAP-RCT-05")  # fmt: skip


def _demanded(alter: Callable[[dict[str, Any]], None]) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, _GATEWAY):
            alter(body["spec"]["rules"][0])

    return change


def _of(**operation: Any) -> Change:
    return _demanded(lambda rule: rule["to"][0]["operation"].update(operation))


def _outside_only(rule: dict[str, Any]) -> None:
    rule["from"][0]["source"]["notIpBlocks"] = ["10.0.0.0/8"]


_open("iaps-token-of-usual-methods", "IAP's token is required of the usual methods.", "X-IAP-EVERY[PROPFIND]",
      _of(methods=_USUAL), calm="X-IAP-EVERY[PATCH]")  # fmt: skip
_open("iaps-token-at-known-hosts", "IAP's token is required at the hosts that its author knows.",
      "X-IAP-EVERY[host with a full stop]", _of(hosts=_KNOWN_HOSTS), calm="X-IAP-EVERY[another host]")  # fmt: skip
_open("static-files-without-iaps-token", "Static files need no token of IAP's.", "X-IAP-EVERY[static files]",
      _of(notPaths=["/healthz/ready", "/static/*"]), calm="X-IAP-EVERY[another path]")  # fmt: skip
_open("sign-in-without-iaps-token", "The sign-in page needs no token of IAP's.", "X-IAP-EVERY[sign-in]",
      _of(notPaths=["/healthz/ready", "/login"]), calm="X-IAP-EVERY[another path]")  # fmt: skip
_open("pods-without-iaps-token", "Pods need no token of IAP's.", "X-IAP-EVERY[from a pod]", _demanded(_outside_only),
      calm="X-IAP-EVERY[another path]")  # fmt: skip


def _claims(alter: Callable[[list[dict[str, Any]]], None]) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, _CLAIMS):
            alter(body["spec"]["rules"])

    return change


def _like(rule: int, number: int, form: str) -> Change:
    def alter(rules: list[dict[str, Any]]) -> None:
        condition = rules[rule]["when"][number]
        condition["values"] = [form.format(value) for value in condition["values"]]

    return _claims(alter)


def _of_claims(name: str, says: str, variant: str, change: Change) -> None:
    _open(name, says, f"X-IAP-CLAIM-02[{variant}]", change, calm="X-IAP-CLAIM-02[of no group]")


_of_claims("group-by-suffix", "Every group whose name ends like the administrators' has access.",
           "a group whose name ends like the administrators'", _like(0, 0, "*{}"))  # fmt: skip
_of_claims("level-by-suffix", "Every access level whose name ends like the right one counts.",
           "an access level whose name ends like the right one", _like(0, 1, "*{}"))  # fmt: skip
_of_claims("device-by-suffix", "Every device whose name ends like the trusted one's has access.",
           "a device whose name ends like the trusted one's", _like(0, 2, "*{}"))  # fmt: skip
_of_claims("staff-by-prefix", "Every group whose name begins like the staff's may see the echo.",
           "a group whose name begins like the staff's", _like(1, 0, "{}*"))  # fmt: skip
_of_claims("staff-by-suffix", "Every group whose name ends like the staff's may see the echo.",
           "a group whose name ends like the staff's", _like(1, 0, "*{}"))  # fmt: skip
_of_claims("paths-of-no-rule", "Paths that no rule names need no claims.", "a path of no rule",
           _claims(lambda rules: rules.append({"to": [{"operation": {"paths": ["/api/*"]}}]})))  # fmt: skip


def _routed_below(path: str) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "VirtualService", "bookinfo"):
            for route in body["spec"]["http"]:
                for match in route.get("match", ()):
                    if match["uri"].get("exact") == path:
                        match["uri"] = {"prefix": path}

    return change


for _path in ("/productpage", "/login"):
    _open(f"routed-below-{_path[1:]}", f"What is below {_path} is routed too.", f"IAP-LB-04[{_path}/x]",
          _routed_below(_path), area=Area.GATEWAY, calm="IAP-LB-04")  # fmt: skip


def _strict_for_details(objects: list[Object]) -> None:
    for body in of_kind(objects, "PeerAuthentication", "default"):
        if document_namespace(body) == "bookinfo":
            body["spec"]["selector"] = {"matchLabels": {"app": "details"}}


_open("strict-for-details-only", "Of what the page fetches, one service is STRICT.",
      "X-IAP-PSP-02[what else it fetches]", _strict_for_details, area=Area.MTLS,
      calm="X-IAP-PSP-02[what the page fetches]")  # fmt: skip


def _trap(policy: str, alter: Callable[[dict[str, Any]], None], *, selects: bool | None = None) -> Change:
    """Alter the spec of a policy; only of one that selects workloads, or of one that does not."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, policy):
            if selects in (None, "selector" in body["spec"]):
                alter(body["spec"])

    return change


def _operation(**stated: list[str]) -> list[dict[str, Any]]:
    return [{"to": [{"operation": stated}]}]


_open("nothing-but-preflights", "The ALLOW without rules has one, for OPTIONS.", "X-TRAP-NOTHING-01[preflight]",
      _trap("allow-nothing", lambda spec: spec.update(rules=_operation(methods=["OPTIONS"]))), place=TRAPS,
      calm="X-TRAP-NOTHING-01[plaintext]")  # fmt: skip
_open("nothing-but-health-checks", "The ALLOW without rules has one, for a path of health checks.",
      "X-TRAP-NOTHING-01[a path of health checks]",
      _trap("allow-nothing", lambda spec: spec.update(rules=_operation(paths=["/status/*"]))), place=TRAPS,
      calm="X-TRAP-NOTHING-01[plaintext]")  # fmt: skip
_open("admin-for-writing", "The DENY by path is for GET.", "X-TRAP-TCP-02[by another method]",
      _trap("no-admin", lambda spec: spec["rules"][0]["to"][0]["operation"].update(methods=["GET"]), selects=False),
      place=TRAPS, calm="X-TRAP-TCP-02")  # fmt: skip
_open("admin-of-http-open", "The DENY by path for the workload that speaks HTTP names another path.",
      "X-TRAP-TCP-02[of HTTP alone]",
      _trap("no-admin", lambda spec: spec["rules"][0]["to"][0]["operation"].update(paths=["/nowhere"]), selects=True),
      place=TRAPS, calm="X-TRAP-TCP-02")  # fmt: skip
_open("office-too-large", "The office's range has a prefix that is too short.",
      "X-TRAP-REMOTE-04[an address that begins alike]",
      _trap("office-only", lambda spec: spec["rules"][0]["from"][0]["source"].update(remoteIpBlocks=["198.0.0.0/8"])),
      place=TRAPS, calm="X-TRAP-REMOTE-04")  # fmt: skip


def _known_callers(*principals: str) -> Change:
    return _trap("known-caller", lambda spec: spec["rules"][0]["from"][0]["source"].update(principals=[*principals]))


_open("callers-of-any-name", "Every workload of the mesh counts as a known caller.", "X-BTQ-NAME-01",
      _known_callers("*"), place=BOUTIQUE, calm="BTQ-ACCESS-05")  # fmt: skip
_open("callers-whose-name-ends-alike", "Every account whose name ends alike counts as a known caller.",
      "X-BTQ-NAME-01", _known_callers("*service", "*/sa/istio-ingressgateway"), place=BOUTIQUE,
      calm="BTQ-ACCESS-05")  # fmt: skip


def _taken_for_its_own(almost: str) -> Change:
    """Of the names that the rule requires, one counts as the frontend's own, which the first shows."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, "DestinationRule", "frontend"):
            names = body["spec"]["trafficPolicy"]["tls"].get("subjectAltNames", [])
            own = names[0].replace("someone-else", "frontend") if names else ""
            names[:] = [own if re.search(almost, name) else name for name in names]

    return change


for _name, _says, _almost in (
    ("name-by-its-beginning", "A caller takes a server whose account begins with the required name.", "/sa/front$"),
    ("name-by-its-letters", "A caller takes small letters of a server's name for capitals.", "/sa/Frontend$"),
    ("name-in-another-namespace", "A caller takes a server of the required account in any namespace.",
     "ad/sa/frontend$"),
    ("name-of-another-domain", "A caller takes a server of the required account in any trust domain.",
     "//other.test/"),
):  # fmt: skip
    _open(_name, _says, "BTQ-NS-07", _taken_for_its_own(_almost), area=Area.MTLS, place=BOUTIQUE)
