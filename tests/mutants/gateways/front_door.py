"""Mutants of the front door: its policies, its keys, its routes, and what is behind it."""

from __future__ import annotations

from suites.front.matrix import TO_THE_FRONT_END, TO_THE_SECRET
from suites.iap.test_rctoken import OF_IAP
from testbed import api
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, document_namespace, of_kind
from tests.mutants.places import FRONT, IAP
from tests.mutants.workloads.workloads import resume, stop_agent

POLICY = "api-origin-auth"
TOO_WIDE = tuple(f"{what} after the health path" for what in ("slash", "full stop", "escaped slash"))
TRICKS = {f"CRA-AUTH-09[{name}]": FAIL if name in TOO_WIDE else PASS for name in TO_THE_SECRET | TO_THE_FRONT_END}
OTHER_CALLS = ("over TLS", "in other metadata", "another method", "host with its port")
CALLS = ("X-GRPC-02", *(f"X-GRPC-02[{how}]" for how in OTHER_CALLS))
UPGRADES = ("X-WS-02", "X-WS-02[over TLS]", "X-WS-02[host with its port]")


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
