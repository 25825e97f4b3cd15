"""Mutants that leave one way open: a port of name servers, a method, a place of a token, a level of pod security."""

from __future__ import annotations

import copy
from typing import Any

from clients.proof.rig.rig import Rig
from tests.mutants import outside
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, document_namespace, of_kind
from tests.mutants.open_ways.front_door import Change, narrowed, open_way, token_rule
from tests.mutants.places import EGRESS, IAP, MESH

_POLICY, _NETPOL = "AuthorizationPolicy", "NetworkPolicy"
_TOKENS, _BEARER = "api-origin-auth", {"name": "Authorization", "prefix": "Bearer "}
_WEBHOOKS = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")


@mutant(
    "network-policy-with-every-port-of-name-servers",
    Area.NETWORK,
    EGRESS,
    cases("X-EGR-SHUT-DNS", FAIL) | {"X-EGR-SHUT-NEIGHBOUR": PASS, "X-EGR-SHUT-PORTS[53]": PASS},
    {"X-EGR-SHUT-DNS": "200"},
    nightly=True,
)
def every_port_of_name_servers(objects: list[Object]) -> None:
    """The rule for name servers names their namespace, and no port."""
    for body in of_kind(objects, _NETPOL, "allow-egress-to-dns"):
        for rule in body["spec"]["egress"]:
            rule.pop("ports")


def _team_is(objects: list[Object], principal: str) -> None:
    """Know the first team by the principals of its accounts, in place of its namespace."""
    for body in of_kind(objects, _POLICY, "egress-team-x-to-example-com"):
        for rule in body["spec"]["rules"]:
            source = rule["from"][0]["source"]
            source["principals"] = [principal.format(*source.pop("namespaces"))]


@mutant(
    "egress-team-by-the-accounts-name",
    Area.AUTHORIZATION,
    EGRESS,
    cases("EGR-AUTHZ-01", PASS) | {"X-EGR-TENANT-LIKE[*]": FAIL},
    nightly=True,
)
def team_by_the_accounts_name(objects: list[Object]) -> None:
    """The gateway's first policy allows every account that has the name of the team's."""
    _team_is(objects, "*/sa/test")


@mutant(
    "egress-team-by-the-beginning-of-a-principal",
    Area.AUTHORIZATION,
    EGRESS,
    {
        "EGR-AUTHZ-01": PASS,
        "X-EGR-TENANT-LIKE[name that begins so]": FAIL,
        "X-EGR-TENANT-LIKE[name that ends so]": PASS,
    },
    nightly=True,
)
def team_by_the_beginning_of_a_principal(objects: list[Object]) -> None:
    """The gateway's first policy allows every principal that begins like those of the team."""
    _team_is(objects, "cluster.local/ns/{}*")


def _unless(**added: Any) -> Change:
    """Except more from what the gateway behind IAP refuses."""

    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, "ingressgateway"):
            [rule] = body["spec"]["rules"]
            for name, value in added.items():
                (rule if name == "when" else rule["to"][0]["operation"])[name] = value

    return change


def _behind_iap(name: str, says: str, verdicts: dict[str, str], change: Change) -> None:
    def changed(objects: list[Object]) -> None:
        change(objects)

    changed.__doc__ = says
    mutant(name, Area.AUTHORIZATION, IAP, verdicts, nightly=True)(changed)


_behind_iap("sign-out-without-iaps-token", "Sign-out needs no token of IAP's.",
            {"X-IAP-EVERY[sign-out]": FAIL, "X-IAP-EVERY[sign-in]": PASS},
            _unless(notPaths=["/healthz/ready", "/logout"]))  # fmt: skip
_behind_iap("the-other-workload-without-iaps-token", "The other workload behind the gateway needs no token of IAP's.",
            {"X-IAP-EVERY[the other workload]": FAIL, "X-IAP-EVERY[another path]": PASS},
            _unless(notPaths=["/healthz/ready", "/headers"]))  # fmt: skip
_behind_iap("health-checkers-without-iaps-token", "Whatever says that it is a health checker needs no token of IAP's.",
            {"IAP-RCT-03": FAIL},
            _unless(when=[{"key": "request.headers[user-agent]", "notValues": ["GoogleHC/*"]}]))  # fmt: skip


@mutant(
    "pod-security-baseline",
    Area.INJECTION,
    IAP,
    cases("X-IAP-PSP-01", FAIL) | cases("IAP-PSP-01", PASS),
    {"X-IAP-PSP-01": "takes-root"},
    nightly=True,
)
def pod_security_baseline(objects: list[Object]) -> None:
    """The namespace's level of pod security is `baseline`, where `restricted` is meant."""
    for body in of_kind(objects, "Namespace"):
        if document_namespace(body) == "bookinfo-restricted":
            body["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "baseline"


@mutant(
    "injector-fails-open",
    Area.INJECTION,
    MESH,
    cases("X-LAB-INJECT-01", FAIL) | cases("LAB-SETUP-03", PASS),
    {"X-LAB-INJECT-01": "failure policy Ignore"},
    nightly=True,
)
class InjectorFailsOpen(Mutant):
    """Where the injector does not answer, pods start without a sidecar."""

    def __init__(self) -> None:
        self._before: dict[str, list[Object]] = {}

    def entered(self, rig: Rig) -> None:
        del rig
        for body in outside.administrator().objects(*_WEBHOOKS, labels="app=sidecar-injector"):
            hooks = self._before.setdefault(body["metadata"]["name"], body["webhooks"])
            _write(body["metadata"]["name"], [{**hook, "failurePolicy": "Ignore"} for hook in hooks])

    def undo(self) -> None:
        for name, hooks in self._before.items():
            _write(name, copy.deepcopy(hooks))
        self._before = {}


def _write(name: str, hooks: list[Object]) -> None:
    outside.administrator().patch(*_WEBHOOKS, name, "", {"webhooks": hooks})


def _by_url(name: str, says: str, variant: str, **operation: list[str]) -> None:
    open_way(name, f"With keys by URL, {says}", f"X-KEYS-14[{variant}]", narrowed(_TOKENS, 0, **operation))


_by_url("by-url-for-reading-only", "a token is required to read.", "by POST", methods=["GET", "HEAD"])
_by_url("by-url-not-for-heads", "HEAD needs no token.", "by HEAD", notMethods=["HEAD"])
_by_url("by-url-for-one-path", "a token is required for one path.", "another path",
        paths=["/api/secure.json", "/api/healthz*"])  # fmt: skip
_by_url("by-url-not-below-the-health-path", "what begins like the health path needs no token.",
        "after the health path", notPaths=["/api/healthz*"])  # fmt: skip
_by_url("by-url-without-tls-only", "a token is required of what comes without TLS.", "over TLS", ports=["8080"])


def _at_cors(name: str, says: str, variant: str, **operation: list[str]) -> None:
    def there(objects: list[Object]) -> None:
        if any(of_kind(objects, "VirtualService", "cors")):
            narrowed(_TOKENS, 0, **operation)(objects)

    open_way(name, says, f"X-DOOR-CORS-02[request without a token, {variant}]", there, area=Area.GATEWAY)


_at_cors("cors-not-for-heads", "Pages need no token for HEAD.", "by HEAD", notMethods=["OPTIONS", "HEAD"])
_at_cors("cors-not-for-deletions", "Pages need no token to delete.", "by DELETE", notMethods=["OPTIONS", "DELETE"])


def _of_channels(name: str, place: str, **places: Any) -> None:
    usual = {"fromHeaders": [_BEARER], "fromParams": ["access_token"]}
    alter = token_rule("channels", lambda rule: rule.update({**usual, **places}))
    open_way(name, f"A WebSocket's token counts in {place}.", f"X-WS-02[token in {place}]", alter, area=Area.JWT,
             calm="X-WS-02")  # fmt: skip


_of_channels("websocket-token-in-a-cookie", "a cookie", fromCookies=["token"])
_of_channels("websocket-token-in-another-parameter", "another parameter", fromParams=["access_token", "token"])
_of_channels("websocket-token-in-another-header", "another header", fromHeaders=[_BEARER, {"name": "x-token"}])

open_way("template-rule-at-one-port", "The rule by a template of the path is for what comes without TLS.",
         "X-DOOR-AUTHZ-01[template of the path over TLS]", narrowed("who-and-what", 2, ports=["8080"]))  # fmt: skip
open_way("address-rule-at-one-host", "The rule on addresses is for the gateway's own name.",
         "X-DOOR-AUTHZ-01[address of the client, another host]",
         narrowed("who-and-what", 3, hosts=["istio-ingress.*"]))  # fmt: skip


def _let_in(**operation: list[str]) -> Change:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, "backend-behind-gateway"):
            body["spec"]["rules"].append({"to": [{"operation": operation}]})

    return change


open_way("past-to-delete", "The back end asks for the gateway's identity of all but DELETE.",
         "X-FRONT-PAST-03[by DELETE]", _let_in(methods=["DELETE"]), calm="X-FRONT-PAST-01")  # fmt: skip
open_way("past-for-other-paths", "The back end asks for the gateway's identity for the secret alone.",
         "X-FRONT-PAST-03[another path]", _let_in(notPaths=["/api/secure.json", "/api/healthz"]),
         calm="X-FRONT-PAST-01")  # fmt: skip
