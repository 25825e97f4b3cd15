"""Mutants of the shop: one of eleven namespaces differs from the others, which a look at the whole would not show."""

from __future__ import annotations

from suites.boutique.workloads import SERVICES
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, document_namespace, networking, of_kind, policies
from tests.mutants.places import BOUTIQUE
from tests.mutants.workloads import workloads

POLICY = "namespace-policy"
CALLS = "X-BTQ-TABLE-03"
"""The same state: each of the eleven, through its sidecar, to each of the eleven. Before the change it was 200 too."""
TABLE = "X-BTQ-TABLE-04"
"""STRICT in eleven namespaces, and a pod without sidecar that must reach none of them."""


def table_but(namespace: str) -> dict[str, str]:
    """Every cell passes but one."""
    return {f"{TABLE}[outside to {name}]": FAIL if name == namespace else PASS for name in SERVICES}


@mutant(
    "namespace-forgotten",
    Area.MTLS,
    BOUTIQUE,
    table_but("shipping") | cases("BTQ-NS-04", PASS) | cases("BTQ-NS-01 08", FAIL),
    {
        f"{TABLE}[outside to shipping]": "expected 000 reset (56), saw 200",
        "BTQ-NS-01": "10 listed; missing",
        "BTQ-NS-08": "shippingservice",
    },
)
def namespace_forgotten(objects: list[Object]) -> None:
    """Ten policies instead of eleven."""
    objects[:] = [body for body in objects if not _is_policy_of(body, "shipping")]


@mutant(
    "opted-out-by-port",
    Area.MTLS,
    BOUTIQUE,
    table_but("payment") | cases("BTQ-NS-01 08", FAIL),
    {f"{TABLE}[outside to payment]": "expected 000 reset (56), saw 200", "BTQ-NS-01": "opt-out"},
)
def opted_out_by_port(objects: list[Object]) -> None:
    """One workload has a policy of its own besides that of its namespace, and it exempts a port."""
    for body in [body for body in objects if _is_policy_of(body, "payment")]:
        spec = {
            "selector": {"matchLabels": {"app": "paymentservice"}},
            "portLevelMtls": {"7001": {"mode": "PERMISSIVE"}},
        }
        objects.append({**body, "metadata": {**body["metadata"], "name": "opt-out"}, "spec": spec})


@mutant(
    "plaintext-by-rule",
    Area.CLIENT,
    BOUTIQUE,
    table_but("cart") | cases("BTQ-NS-04 05 06", FAIL) | cases("X-BTQ-MOVE-01", FAIL),
    {
        f"{TABLE}[outside to cart]": "twin: X-BTQ-TABLE-03 expected 200, saw 503",
        "BTQ-NS-06": "saw 500",
        "X-BTQ-MOVE-01": "requests failed",
    },
)
def plaintext_by_rule(objects: list[Object]) -> None:
    """A destination rule makes all sidecars call one service in plaintext."""
    for body in [body for body in objects if _is_policy_of(body, "cart")]:
        host = f"cartservice.{body['metadata']['namespace']}.svc.cluster.local"
        spec = {"host": host, "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
        objects.append(networking("DestinationRule", {**body["metadata"], "name": "plaintext"}, spec))


@mutant(
    "namespace-not-injected",
    Area.INJECTION,
    BOUTIQUE,
    table_but("email") | cases("BTQ-NS-01", PASS) | cases("BTQ-NS-08", FAIL),
    {f"{TABLE}[outside to email]": "expected 000 reset (56), saw 200", "BTQ-NS-08": "has no sidecar"},
    nightly=True,
)
def namespace_not_injected(objects: list[Object]) -> None:
    """One namespace is not injected, so its policy has no effect."""
    for body in of_kind(objects, "Namespace"):
        if document_namespace(body) == "email":
            body["metadata"]["labels"] |= {"istio-injection": "disabled"}
            body["metadata"]["labels"].pop("istio.io/rev", None)


@mutant(
    "policy-in-neighbour",
    Area.MTLS,
    BOUTIQUE,
    table_but("currency") | cases("BTQ-NS-01 08", FAIL),
    {f"{TABLE}[outside to currency]": "expected 000 reset (56), saw 200", "BTQ-NS-01": "outside"},
    nightly=True,
)
def policy_in_neighbour(objects: list[Object]) -> None:
    """A policy with the right name and the right mode, in the wrong namespace."""
    for body in objects:
        if _is_policy_of(body, "currency"):
            meta = body["metadata"]
            meta["namespace"] = meta["namespace"].removesuffix("currency") + "outside"


def _is_policy_of(body: Object, namespace: str) -> bool:
    of_the_shop = body["kind"] == "PeerAuthentication" and body["metadata"]["name"] == POLICY
    return of_the_shop and document_namespace(body) == namespace


def calls_but(namespace: str) -> dict[str, str]:
    """What is called in one namespace fails: its sidecar does not show the change's marker, nor hold the policy."""
    return {
        f"{CALLS}[{source} to {name}]": FAIL if name == namespace else PASS for source in SERVICES for name in SERVICES
    }


@mutant(
    "server-cut-off",
    Area.CONTROL_PLANE,
    BOUTIQUE,
    calls_but("ad") | table_but("ad"),
    {
        f"{CALLS}[cart to ad]": "marker: ad/adservice: not in force",
        f"{TABLE}[outside to ad]": "expected 000 reset (56), saw 200",
    },
    nightly=True,
)
class ServerCutOff(Mutant):
    """The agent of the ad service's pod is stopped before the change: its sidecar keeps what it has, and still answers.

    What the stage settles on is another server, so only a marker shows that the change has not come to this one.
    """

    def __init__(self) -> None:
        self._stopped: list[int] = []

    def objects(self, objects: list[Object]) -> None:
        for body in policies(objects):
            if document_namespace(body) == "ad" and not self._stopped:
                self._stopped = workloads.stop_agent(body["metadata"]["namespace"], "app=adservice")

    def undo(self) -> None:
        workloads.resume(self._stopped)
        self._stopped = []
