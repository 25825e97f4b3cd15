"""Mutants of the front door: its policies, its keys, its routes, and what is behind it."""

from __future__ import annotations

import re

import yaml

from clients.identity.tokens import TokenIssuer
from clients.proof.rig.rig import Rig
from suites.front import test_custom, test_keys_rotation
from suites.front.custom import ALLOWED
from suites.front.matrix import TO_THE_FRONT_END, TO_THE_SECRET
from suites.iap.test_rctoken import OF_IAP
from testbed import api
from tests.mutants import outside
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, document_namespace, of_kind
from tests.mutants.places import FRONT, IAP
from tests.mutants.workloads.workloads import resume, stop_agent

_FOREIGN_JWKS = TokenIssuer().jwks_json()
POLICY = "api-origin-auth"
REFUSED_TOKENS = {f"CRA-AUTH-07[{kind}]": FAIL for kind in ("malformed", "expired", "just-expired", "foreign-key")}
TOO_WIDE = tuple(f"{what} after the health path" for what in ("slash", "full stop", "escaped slash"))
TRICKS = {f"CRA-AUTH-09[{name}]": FAIL if name in TOO_WIDE else PASS for name in TO_THE_SECRET | TO_THE_FRONT_END}
ROTATION = tuple(case.id for case in test_keys_rotation.CASES if case.control in ("X-KEYS-09", "X-KEYS-10"))
PATIENTLY = ("--budget", "8")
"""istiod asks for keys every second, and its proxies have to find it again first."""
NOT_SHOWN = ("no header", "another value", "dots in the path", *test_custom.OTHERWISE, *test_custom.OTHER_PATHS)
OTHER_CALLS = ("over TLS", "in other metadata", "another method", "host with its port")
CALLS = ("X-GRPC-02", *(f"X-GRPC-02[{how}]" for how in OTHER_CALLS))
UPGRADES = ("X-WS-02", "X-WS-02[over TLS]", "X-WS-02[host with its port]")
AFTER_OLD_KEY = (
    "X-KEYS-09[next key, alone]",
    "X-KEYS-10[old key, too late]",
    "X-KEYS-10[another audience]",
    "X-KEYS-10[old key, issuer down]",
)
"""Cases of the step that settles on the old key's refusal."""


@mutant("token-not-demanded", Area.JWT, FRONT, cases("CRA-AUTH-01 03", FAIL), {"CRA-AUTH-01": "settled 1"})
def token_not_demanded(objects: list[Object]) -> None:
    """RequestAuthentication alone: what has no token passes."""
    for body in of_kind(objects, "AuthorizationPolicy", POLICY):
        body["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


@mutant(
    "one-door-cut-off",
    Area.CONTROL_PLANE,
    FRONT,
    cases("CRA-AUTH-01 03", FAIL),
    {"CRA-AUTH-01": "settled 1"},
    nightly=True,
)
class OneDoorCutOff(Mutant):
    """The gateway has two replicas; the agent of one is stopped before the policy comes, so it asks for no token."""

    def __init__(self) -> None:
        self._stopped: list[int] = []

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "AuthorizationPolicy", POLICY):
            self._stopped = self._stopped or stop_agent(body["metadata"]["namespace"], "app=istio-ingress")

    def undo(self) -> None:
        resume(self._stopped)
        self._stopped = []


@mutant(
    "exempt-too-wide",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-05", PASS) | TRICKS,
    {f"CRA-AUTH-09[{TOO_WIDE[0]}]": "saw 404"},
    nightly=True,
)
def exempt_too_wide(objects: list[Object]) -> None:
    """The exempt path is a prefix."""
    for body in of_kind(objects, "AuthorizationPolicy", POLICY):
        body["spec"]["rules"][0]["to"][0]["operation"]["notPaths"] = ["/api/healthz*"]


@mutant(
    "one-port-only",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-01", PASS) | cases("CRA-AUTH-10", FAIL),
    {"CRA-AUTH-10": "saw 200"},
    nightly=True,
)
def one_port_only(objects: list[Object]) -> None:
    """The policy is for port 80 of the two."""
    for body in of_kind(objects, "AuthorizationPolicy", POLICY):
        body["spec"]["rules"][0]["to"][0]["operation"]["ports"] = ["8080"]


@mutant(
    "any-audience",
    Area.JWT,
    FRONT,
    {"CRA-AUTH-08[issuer]": PASS, "CRA-AUTH-08[audience]": FAIL},
    {"CRA-AUTH-08[audience]": "saw 200"},
)
def any_audience(objects: list[Object]) -> None:
    """Tokens for any audience are accepted, as long as the issuer is right."""
    for body in of_kind(objects, "RequestAuthentication"):
        body["spec"]["jwtRules"][0].pop("audiences", None)


@mutant(
    "keys-swapped",
    Area.KEYS,
    FRONT,
    cases("CRA-AUTH-03", FAIL) | REFUSED_TOKENS,
    {"CRA-AUTH-07[expired]": "twin: CRA-AUTH-03"},
    nightly=True,
)
def keys_swapped(objects: list[Object]) -> None:
    """The gateway has other keys than those that the issuer signs with."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        body["spec"]["jwtRules"][0]["jwks"] = _FOREIGN_JWKS


@mutant(
    "gateway-policy-elsewhere",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-01", FAIL),
    {"CRA-AUTH-01": "settled 1"},
    nightly=True,
)
def wrong_namespace(objects: list[Object]) -> None:
    """The gateway's policy lands where the gateway is not."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, POLICY):
            meta = body["metadata"]
            meta["namespace"] = meta["namespace"].removesuffix("gke-system") + "public"


@mutant(
    "refused-further-in",
    Area.LIES,
    FRONT,
    cases("CRA-AUTH-01", FAIL) | cases("CRA-AUTH-03", PASS),
    {"CRA-AUTH-01": "an entry has"},
)
def refused_further_in(objects: list[Object]) -> None:
    """The refusal is the back end's own: the same status and the same words, but the gateway lets everything in."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, POLICY):
            meta = body["metadata"]
            meta["namespace"] = meta["namespace"].removesuffix("gke-system") + "api"
            body["spec"]["selector"]["matchLabels"]["app"] = "backend"


@mutant("past-the-gateway", Area.GATEWAY, FRONT, cases("X-FRONT-PAST-01 02", FAIL), {"X-FRONT-PAST-01": "settled 1"})
def past_the_gateway(objects: list[Object]) -> None:
    """The back end allows every identity of the mesh."""
    for body in of_kind(objects, "AuthorizationPolicy", "backend-behind-gateway"):
        body["spec"]["rules"][0]["from"][0]["source"]["principals"] = ["*"]


@mutant(
    "route-too-wide",
    Area.GATEWAY,
    FRONT,
    cases("CRA-ROUTE-01", PASS) | cases("CRA-ROUTE-03", FAIL),
    {"CRA-ROUTE-03": "x-served-by"},
    nightly=True,
)
def route_too_wide(objects: list[Object]) -> None:
    """Routed to the back end is more than the policy protects."""
    for body in of_kind(objects, "VirtualService", "cloud-run-gke-auth"):
        body["spec"]["http"][0]["match"][0]["uri"]["prefix"] = "/api"


@mutant("fails-open", Area.KEYS, FRONT, {f"X-KEYS-05[a {kind} token]": FAIL for kind in ("good", "foreign")})
def fails_open(objects: list[Object]) -> None:
    """Without the issuer's keys its tokens are taken on trust: the gateway lets pass what it cannot verify."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        if "issuer-down" in body["spec"]["jwtRules"][0].get("jwksUri", ""):
            body["spec"]["jwtRules"][0] = {"issuer": "no-issuer", "jwks": _FOREIGN_JWKS}
            for policy in of_kind(objects, "AuthorizationPolicy", POLICY):
                policy["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


@mutant("old-key-stays", Area.KEYS, FRONT, cases("X-KEYS-04", FAIL), {"X-KEYS-04": "saw 200"})
def old_key_stays(objects: list[Object]) -> None:
    """The rotation ends, and the old key is still in the set."""
    for body in of_kind(objects, "RequestAuthentication", POLICY):
        [rule] = body["spec"]["jwtRules"]
        rule["jwksUri"] = rule.get("jwksUri", "").replace("/keys-next", "/keys-both")


@mutant(
    "old-key-published",
    Area.KEYS,
    FRONT,
    {**dict.fromkeys(ROTATION, PASS), **dict.fromkeys(AFTER_OLD_KEY, FAIL)},
    {"X-KEYS-10[old key, too late]": "saw 200"},
    PATIENTLY,
    nightly=True,
)
def old_key_published(objects: list[Object]) -> None:
    """The issuer goes on publishing the old key, at the one URL that it has."""
    for body in of_kind(objects, "Service", "rotating"):
        for port in body["spec"]["ports"]:
            port["targetPort"] = port["targetPort"].replace("next", "both")


@mutant(
    "keys-inline",
    Area.KEYS,
    FRONT,
    dict.fromkeys(ROTATION, FAIL) | dict.fromkeys(ROTATION[:2], PASS),
    {"X-KEYS-09[next key, with the old one]": "settled 3"},
    PATIENTLY,
    nightly=True,
)
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


@mutant(
    "condition-inverted",
    Area.JWT,
    IAP,
    {"X-IAP-CLAIM-01[group, access level and device]": FAIL, "X-IAP-CLAIM-01[one claim of a list]": FAIL},
    nightly=True,
)
def condition_inverted(objects: list[Object]) -> None:
    """The page is open to every access level except the intended one."""
    for body in of_kind(objects, "AuthorizationPolicy", "context-aware"):
        for condition in body["spec"]["rules"][0]["when"]:
            if "access_levels" in condition["key"]:
                condition["notValues"] = condition.pop("values")


@mutant(
    "header-not-stripped",
    Area.GATEWAY,
    IAP,
    {f"X-IAP-HEADER-02[{name}]": FAIL for name in OF_IAP},
    {"X-IAP-HEADER-02[X-Goog-Authenticated-User-Email]": "received header"},
)
def header_not_stripped(objects: list[Object]) -> None:
    """Headers of IAP that a client sends itself reach the workload."""
    for body in of_kind(objects, "VirtualService", "bookinfo"):
        body["spec"]["http"][0].pop("headers")


@mutant(
    "any-header",
    Area.JWT,
    IAP,
    cases("IAP-RCT-03", PASS) | cases("IAP-RCT-05", FAIL),
    {"IAP-RCT-05": "saw 200"},
    nightly=True,
)
def any_header(objects: list[Object]) -> None:
    """The token is looked for where tokens usually are."""
    for body in of_kind(objects, "RequestAuthentication", "ingressgateway"):
        body["spec"]["jwtRules"][0]["fromHeaders"].append({"name": "Authorization", "prefix": "Bearer "})


@mutant(
    "sidecar-bypassed",
    Area.INJECTION,
    IAP,
    {"X-IAP-PSP-01": FAIL, "X-IAP-PSP-02": FAIL, "IAP-PSP-01": FAIL},  # their stage settles on the refusal
    {"X-IAP-PSP-02": "saw 200"},
    nightly=True,
)
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


@mutant(
    "ext-authz-not-asked",
    Area.AUTHORIZATION,
    FRONT,
    cases("X-CUSTOM-06", FAIL) | {f"X-CUSTOM-02[{variant}]": FAIL for variant in NOT_SHOWN},
    {"X-CUSTOM-02[no header]": "settled 1"},
)
def server_not_asked(objects: list[Object]) -> None:
    """The external authorization server is there, and the gateway asks it about other paths."""
    for body in of_kind(objects, "AuthorizationPolicy", "ext-authz"):
        body["spec"]["rules"][0]["to"][0]["operation"] = {"paths": ["/nowhere"]}


@mutant("grpc-not-guarded", Area.GATEWAY, FRONT, dict.fromkeys(CALLS, FAIL), {"X-GRPC-02": "settled 1"})
def call_not_guarded(objects: list[Object]) -> None:
    """A token is demanded at one of two hosts."""
    for body in of_kind(objects, "AuthorizationPolicy", "channels"):
        operation = body["spec"]["rules"][0]["to"][0]["operation"]
        operation["hosts"] = [host for host in operation["hosts"] if not host.startswith("cart.")]


@mutant("websocket-not-guarded", Area.GATEWAY, FRONT, dict.fromkeys(UPGRADES, FAIL), {"X-WS-02": "settled 1"})
def upgrade_not_guarded(objects: list[Object]) -> None:
    """The same, of the other host."""
    for body in of_kind(objects, "AuthorizationPolicy", "channels"):
        operation = body["spec"]["rules"][0]["to"][0]["operation"]
        operation["hosts"] = [host for host in operation["hosts"] if not host.startswith("echo.")]


@mutant(
    "grpc-method-misspelt",
    Area.AUTHORIZATION,
    FRONT,
    dict.fromkeys(CALLS, PASS) | {"X-GRPC-04": FAIL, "X-GRPC-04[dots in the path]": FAIL},
    {"X-GRPC-04": "saw 200 OK (0)"},
    nightly=True,
)
def method_misspelt(objects: list[Object]) -> None:
    """The rule has a gRPC method in another case than its callers: names of services and methods are case-sensitive."""
    for body in of_kind(objects, "AuthorizationPolicy", "channels"):
        body["spec"]["rules"][1]["to"][0]["operation"]["paths"] = ["/hipstershop.cartservice/emptycart"]


@mutant("attached-elsewhere", Area.GATEWAY, FRONT, cases("X-GWAPI-AUTH-01 03", FAIL), {"X-GWAPI-AUTH-01": "settled 1"})
def attached_elsewhere(objects: list[Object]) -> None:
    """The policies are attached to a Gateway of another name."""
    for kind in ("RequestAuthentication", "AuthorizationPolicy"):
        for body in of_kind(objects, kind, "front-door"):
            body["spec"]["targetRefs"][0]["name"] = "back-door"


@mutant(
    "ext-authz-fails-open",
    Area.AUTHORIZATION,
    FRONT,
    {f"X-CUSTOM-05[what it would {verb}]": FAIL for verb in ("allow", "refuse")},
    {"X-CUSTOM-05[what it would refuse]": "saw 200"},
    nightly=True,
)
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
