"""Mutants of the front door: its policies, its keys, its routes, and what is behind it."""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

from clients.identity.tokens import TokenIssuer
from clients.proof.rig import Rig
from suites.front.custom import ALLOWED
from testbed import api
from tests.mutants import outside
from tests.mutants.mutant import Mutant, Object, document_namespace, of_kind

_FOREIGN_JWKS = TokenIssuer().jwks_json()
POLICY = "api-origin-auth"


def token_not_demanded(objects: list[Object]) -> None:
    """RequestAuthentication alone: what has no token passes."""
    for body in of_kind(objects, "AuthorizationPolicy", POLICY):
        body["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


def exempt_too_wide(objects: list[Object]) -> None:
    """The exempt path is a prefix."""
    for body in of_kind(objects, "AuthorizationPolicy", POLICY):
        body["spec"]["rules"][0]["to"][0]["operation"]["notPaths"] = ["/api/healthz*"]


def one_port_only(objects: list[Object]) -> None:
    """The policy is for port 80 of the two."""
    for body in of_kind(objects, "AuthorizationPolicy", POLICY):
        body["spec"]["rules"][0]["to"][0]["operation"]["ports"] = ["8080"]


def any_audience(objects: list[Object]) -> None:
    """Tokens for any audience are accepted, as long as the issuer is right."""
    for body in of_kind(objects, "RequestAuthentication"):
        body["spec"]["jwtRules"][0].pop("audiences", None)


def keys_swapped(objects: list[Object]) -> None:
    """The gateway has other keys than those that the issuer signs with."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        body["spec"]["jwtRules"][0]["jwks"] = _FOREIGN_JWKS


def wrong_namespace(objects: list[Object]) -> None:
    """The gateway's policy lands where the gateway is not."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, POLICY):
            meta = body["metadata"]
            meta["namespace"] = meta["namespace"].removesuffix("gke-system") + "public"


def refused_further_in(objects: list[Object]) -> None:
    """The refusal is the back end's own: the same status and the same words, but the gateway lets everything in."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, POLICY):
            meta = body["metadata"]
            meta["namespace"] = meta["namespace"].removesuffix("gke-system") + "api"
            body["spec"]["selector"]["matchLabels"]["app"] = "backend"


def past_the_gateway(objects: list[Object]) -> None:
    """The back end allows every identity of the mesh."""
    for body in of_kind(objects, "AuthorizationPolicy", "backend-behind-gateway"):
        body["spec"]["rules"][0]["from"][0]["source"]["principals"] = ["*"]


def route_too_wide(objects: list[Object]) -> None:
    """Routed to the back end is more than the policy protects."""
    for body in of_kind(objects, "VirtualService", "cloud-run-gke-auth"):
        body["spec"]["http"][0]["match"][0]["uri"]["prefix"] = "/api"


def fails_open(objects: list[Object]) -> None:
    """Without the issuer's keys its tokens are taken on trust: the gateway lets pass what it cannot verify."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        if "issuer-down" in body["spec"]["jwtRules"][0].get("jwksUri", ""):
            body["spec"]["jwtRules"][0] = {"issuer": "no-issuer", "jwks": _FOREIGN_JWKS}
            for policy in of_kind(objects, "AuthorizationPolicy", POLICY):
                policy["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


def old_key_stays(objects: list[Object]) -> None:
    """The rotation ends, and the old key is still in the set."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        [rule] = body["spec"]["jwtRules"]
        rule["jwksUri"] = rule.get("jwksUri", "").replace("/keys-next", "/keys-both")


def old_key_published(objects: list[Object]) -> None:
    """The issuer goes on publishing the old key, at the one URL that it has."""
    for body in of_kind(objects, "Service", "rotating"):
        for port in body["spec"]["ports"]:
            port["targetPort"] = port["targetPort"].replace("next", "both")


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


def condition_inverted(objects: list[Object]) -> None:
    """The page is open to every access level except the intended one."""
    for body in of_kind(objects, "AuthorizationPolicy", "context-aware"):
        for condition in body["spec"]["rules"][0]["when"]:
            if "access_levels" in condition["key"]:
                condition["notValues"] = condition.pop("values")


def header_not_stripped(objects: list[Object]) -> None:
    """Headers of IAP that a client sends itself reach the workload."""
    for body in of_kind(objects, "VirtualService", "bookinfo"):
        body["spec"]["http"][0].pop("headers")


def any_header(objects: list[Object]) -> None:
    """The token is looked for where tokens usually are."""
    for body in of_kind(objects, "RequestAuthentication", "ingressgateway"):
        body["spec"]["jwtRules"][0]["fromHeaders"].append({"name": "Authorization", "prefix": "Bearer "})


class SidecarBypassed(Mutant):
    """Istio's CNI plug-in leaves a namespace out, and nothing notices: traffic goes around the sidecars there."""

    _CHAIN = "/etc/cni/istio.d/10-istio.conflist"
    _OWN = "/etc/meshproof/10-istio.conflist"

    def __init__(self) -> None:
        self._spoilt = False

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "Deployment", "productpage"):
            if document_namespace(body) == "bookinfo-restricted":
                spec = body["spec"]["template"]["spec"]
                image = spec["containers"][0]["image"]
                spec["initContainers"] = [{"name": "istio-validation", "image": image, "command": ["/bin/true"]}]
                self._leave_out(body["metadata"]["namespace"])

    def _leave_out(self, namespace: str) -> None:
        if not self._spoilt:
            self._spoilt = True
            left_out = f's/"istio-system"/"istio-system", "{namespace}"/'
            api.run_in_node("sh", "-c", f"sed '{left_out}' {self._OWN} >/run/spoilt && cp /run/spoilt {self._CHAIN}")

    def undo(self) -> None:
        if self._spoilt:
            api.run_in_node("cp", self._OWN, self._CHAIN)
        self._spoilt = False


def server_not_asked(objects: list[Object]) -> None:
    """The external authorization server is there, and the gateway asks it about other paths."""
    for body in of_kind(objects, "AuthorizationPolicy", "ext-authz"):
        body["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


def call_not_guarded(objects: list[Object]) -> None:
    """A token is demanded at one of two hosts."""
    for body in of_kind(objects, "AuthorizationPolicy", "channels"):
        operation = body["spec"]["rules"][0]["to"][0]["operation"]
        operation["hosts"] = [host for host in operation["hosts"] if not host.startswith("cart.")]


def upgrade_not_guarded(objects: list[Object]) -> None:
    """The same, of the other host."""
    for body in of_kind(objects, "AuthorizationPolicy", "channels"):
        operation = body["spec"]["rules"][0]["to"][0]["operation"]
        operation["hosts"] = [host for host in operation["hosts"] if not host.startswith("echo.")]


def method_misspelt(objects: list[Object]) -> None:
    """The rule has a gRPC method in another case than its callers: names of services and methods are case-sensitive."""
    for body in of_kind(objects, "AuthorizationPolicy", "channels"):
        body["spec"]["rules"][1]["to"][0]["operation"]["paths"] = ["/hipstershop.cartservice/emptycart"]


def attached_elsewhere(objects: list[Object]) -> None:
    """The policies are attached to a Gateway of another name."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, "front-door"):
            body["spec"]["targetRefs"][0]["name"] = "back-door"


class FailsOpen(Mutant):
    """The mesh's configuration lets requests pass while the external authorization server is down."""

    _SURELY = 30
    """Answers in a row after which every thread of every replica of the gateway has the change."""

    def __init__(self) -> None:
        self._before = ""

    def entered(self, rig: Rig) -> None:
        self._before = self._mesh()["data"]["mesh"]
        mesh = yaml.safe_load(self._before)
        for provider in mesh["extensionProviders"]:
            provider["envoyExtAuthzHttp"]["failOpen"] = True
        self._write(yaml.safe_dump(mesh))

        def open_wide() -> bool:
            return all(outcome.status == 200 for outcome in rig.prober.probe(ALLOWED, "mutant", self._SURELY))

        outside.wait("the gateway to let everything pass", open_wide)

    def undo(self) -> None:
        if self._before:
            self._write(self._before)
        self._before = ""

    @staticmethod
    def _mesh() -> Object:
        found = outside.administrator().get("v1", "ConfigMap", "istio", "istio-system")
        assert found is not None
        return found

    @staticmethod
    def _write(mesh: str) -> None:
        outside.administrator().patch("v1", "ConfigMap", "istio", "istio-system", {"data": {"mesh": mesh}})


CHANGES: dict[str, Callable[[list[Object]], None]] = {
    "token-not-demanded": token_not_demanded,
    "exempt-too-wide": exempt_too_wide,
    "one-port-only": one_port_only,
    "any-audience": any_audience,
    "keys-swapped": keys_swapped,
    "gateway-policy-elsewhere": wrong_namespace,
    "refused-further-in": refused_further_in,
    "past-the-gateway": past_the_gateway,
    "route-too-wide": route_too_wide,
    "fails-open": fails_open,
    "old-key-stays": old_key_stays,
    "old-key-published": old_key_published,
    "condition-inverted": condition_inverted,
    "header-not-stripped": header_not_stripped,
    "any-header": any_header,
    "ext-authz-not-asked": server_not_asked,
    "grpc-not-guarded": call_not_guarded,
    "websocket-not-guarded": upgrade_not_guarded,
    "grpc-method-misspelt": method_misspelt,
    "attached-elsewhere": attached_elsewhere,
}

MUTANTS: dict[str, Callable[[], Mutant]] = {
    "keys-inline": KeysInline,
    "sidecar-bypassed": SidecarBypassed,
    "ext-authz-fails-open": FailsOpen,
}
