"""Mutants of egress: the gateway, the scope of exports, the network behind it, the external hosts."""

from __future__ import annotations

import base64
import os
import signal
import time

from clients.proof.rig.rig import Rig
from testbed import api, internet
from testbed.pki import Authority
from tests.mutants import outside
from tests.mutants.entry import FAIL, LOST, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import EGRESS
from tests.mutants.workloads.workloads import resume

GATEWAY = "istio-egressgateway"
_POLICY = ("security.istio.io/v1", "AuthorizationPolicy", "egress-team-x-to-example-com")
_FOREIGN = Authority()
_PAIR = _FOREIGN.issue("example.com", names=["example.com"])


@mutant(
    "gateway-unguarded",
    Area.AUTHORIZATION,
    EGRESS,
    cases("EGR-AUTHZ-01 02 03 06 07", FAIL),
    {"EGR-AUTHZ-02": "settled 1: expected 403"},
)
def gateway_unguarded(objects: list[Object]) -> None:
    """The first policy of the gateway selects no pod."""
    for body in of_kind(objects, "AuthorizationPolicy", "egress-team-x-to-example-com"):
        body["spec"]["selector"] = {"matchLabels": {"app": "no-pod"}}


@mutant(
    "certificate-not-verified",
    Area.ORIGINATION,
    EGRESS,
    cases("EGR-ORIG-01", PASS) | {f"EGR-ORIG-04[{kind}]": FAIL for kind in ("untrusted", "wrong-name", "expired")},
    {"EGR-ORIG-04[untrusted]": "saw 200"},
)
def not_verified(objects: list[Object]) -> None:
    """The gateway verifies no server's certificate."""
    for body in of_kind(objects, "DestinationRule"):
        for subset in body["spec"].get("subsets", ()):
            for port in subset.get("trafficPolicy", {}).get("portLevelSettings", ()):
                if port["tls"]["mode"] == "SIMPLE":
                    port["tls"] = {"mode": "SIMPLE", "insecureSkipVerify": True, "sni": port["tls"]["sni"]}


@mutant(
    "certificate-of-one-host-not-verified",
    Area.ORIGINATION,
    EGRESS,
    cases("EGR-ORIG-01", PASS) | {"EGR-ORIG-04[untrusted]": PASS, "X-EGR-ORIG-SAME": FAIL},
    {"X-EGR-ORIG-SAME": "saw 200"},
)
def one_host_not_verified(objects: list[Object]) -> None:
    """The gateway does not verify the certificate of example.com itself; those of other hosts it does."""
    for body in of_kind(objects, "DestinationRule", "example-com-originate-tls"):
        for subset in body["spec"]["subsets"]:
            for port in subset["trafficPolicy"]["portLevelSettings"]:
                port["tls"]["insecureSkipVerify"] = True


@mutant(
    "exported-to-all",
    Area.EGRESS,
    EGRESS,
    cases("EGR-TENANT-01 02", PASS) | cases("EGR-TENANT-03 04 05", FAIL),
    {"EGR-TENANT-03": "expected 502", "EGR-TENANT-05": "example.com is configured"},
    nightly=True,
)
def exported_to_all(objects: list[Object]) -> None:
    """example.com is exported to all namespaces."""
    for kind in ("ServiceEntry", "VirtualService"):
        for body in of_kind(objects, kind):
            if body["metadata"]["name"].startswith("example-com-"):
                body["spec"]["exportTo"] = ["*"]


@mutant(
    "out-anywhere",
    Area.EGRESS,
    EGRESS,
    cases("EGR-SIDECAR-02 03 04", FAIL),
    {"EGR-SIDECAR-02": "settled 1", "EGR-SIDECAR-03": "settled 1"},
)
def anywhere(objects: list[Object]) -> None:
    """Proxies let unknown destinations pass."""
    for body in of_kind(objects, "Sidecar"):
        body["spec"]["outboundTrafficPolicy"]["mode"] = "ALLOW_ANY"


@mutant(
    "pass-through-terminated",
    Area.PASS_THROUGH,
    EGRESS,
    cases("EGR-PASS-01 02", PASS)
    | cases("EGR-PASS-03", FAIL)
    | {"EGR-PASS-09[seen by the server]": PASS, "EGR-PASS-09": FAIL},
    {"EGR-PASS-03": "an entry has", "EGR-PASS-09": "the application sees"},
)
def terminated(objects: list[Object]) -> None:
    """The gateway decrypts what it should pass on: it has a certificate that clients trust, and speaks TLS itself."""
    for body in of_kind(objects, "ConfigMap", "external-roots"):
        body["data"]["roots.pem"] += _FOREIGN.pair.certificate.decode()
    for body in of_kind(objects, "VirtualService", "example-com-through-egress-gateway"):
        _read_at_gateway(body["spec"])
    for body in list(of_kind(objects, "Gateway", "egress-gateway")):
        for server in body["spec"]["servers"]:
            if server["port"]["number"] == 443:
                server["port"] = {"number": 443, "name": "https-443", "protocol": "HTTPS"}
                server["tls"] = {"mode": "SIMPLE", "credentialName": "mutant"}
        objects += _credential(body["metadata"])


def _read_at_gateway(spec: Object) -> None:
    passed = [route for route in spec.get("tls", ()) if route["match"][0]["gateways"] != ["mesh"]]
    for route in passed:
        spec["tls"].remove(route)
        match = [{"gateways": route["match"][0]["gateways"], "port": 443}]
        originating = spec["http"][1]["route"]
        spec["http"].append({"match": match, "route": originating})


def _credential(place: Object) -> list[Object]:
    """The certificate, and the gateway's right to it."""
    meta = {"name": "mutant", "namespace": place["namespace"], "labels": place["labels"]}
    data = {"tls.crt": _PAIR.certificate, "tls.key": _PAIR.key}
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": f"{GATEWAY}-service-account", "namespace": place["namespace"]}
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "type": "kubernetes.io/tls",
            "data": {name: base64.b64encode(text).decode() for name, text in data.items()},
        },
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "mutant"},
            "subjects": [account],
        },
    ]


@mutant(
    "around-the-gateway",
    Area.EGRESS,
    EGRESS,
    cases("EGR-ROUTE-01", PASS)
    | cases("EGR-ROUTE-02", FAIL)
    | cases("EGR-ROUTE-03", LOST)
    | cases("EGR-ROUTE-04 05", FAIL),
    {"EGR-ROUTE-05": "which is not the gateway"},
)
class Around(Mutant):
    """The route leads to the host itself and not to the gateway, and the network allows it."""

    def __init__(self) -> None:
        self._firewall = outside.Firewall()

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "VirtualService", "example-com-through-egress-gateway"):
            to_gateway, to_host = body["spec"]["http"]
            to_gateway["route"] = to_host["route"]
            self._firewall.take_down()

    def undo(self) -> None:
        self._firewall.restore()


class ServiceStopped(Mutant):
    """A service of the node does not run.

    Args:
        service: its name.
        at: kind of object that is about to be applied when it stops; empty: when the stage has settled.
    """

    def __init__(self, service: str, at: str = "") -> None:
        self._place, self._at, self._stopped = f"/run/service/{service}", at, False

    def objects(self, objects: list[Object]) -> None:
        if self._at and any(of_kind(objects, self._at)):
            self._stop()

    def entered(self, rig: Rig) -> None:
        if not self._at:
            self._stop()

    def undo(self) -> None:
        if self._stopped:
            api.run_in_node("sv", "up", self._place)
        self._stopped = False

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            api.run_in_node("sv", "force-stop", self._place)


@mutant(
    "external-host-down",
    Area.BACKEND,
    EGRESS,
    cases("EGR-TENANT-01 02 03", FAIL),
    {"EGR-TENANT-01": "expected 200", "EGR-TENANT-03": "twin: EGR-TENANT-01 expected 200"},
    nightly=True,
)
class ExternalHostDown(ServiceStopped):
    """The external hosts do not answer while the cases are proven."""

    def __init__(self) -> None:
        super().__init__("external")


@mutant(
    "policy-engine-stopped",
    Area.NETWORK,
    EGRESS,
    cases("EGR-NETPOL-05", FAIL),
    {"EGR-NETPOL-05": "saw 200"},
)
class PolicyEngineStopped(ServiceStopped):
    """The network plug-in enforces no policy that comes: it is stopped when the first is applied."""

    def __init__(self) -> None:
        super().__init__("calico-felix", at="NetworkPolicy")


@mutant(
    "names-lead-elsewhere",
    Area.DNS,
    EGRESS,
    cases("EGR-ROUTE-01 02 03 05", FAIL),
    dict.fromkeys(("EGR-ROUTE-01", "EGR-ROUTE-05"), "which is not an address of example.com"),
    nightly=True,
)
class NamesElsewhere(Mutant):
    """The name server gives example.com the address of httpbin.org."""

    def __init__(self) -> None:
        self._was = ""

    def objects(self, objects: list[Object]) -> None:
        if self._was or not any(of_kind(objects, "VirtualService")):
            return
        addresses = {host.name: host.addresses[0] for host in internet.HOSTS}
        right = f"{addresses['example.com']} example.com"
        wrong = f"{addresses['httpbin.org']} example.com"
        found = outside.administrator().get("v1", "ConfigMap", "coredns", "kube-system")
        assert found is not None
        self._was = found["data"]["Corefile"]
        assert right in self._was
        self._serve(self._was.replace(right, wrong))

    def undo(self) -> None:
        if self._was:
            self._serve(self._was)
        self._was = ""

    def _serve(self, text: str) -> None:
        """With new pods: the kubelet brings a changed file into old ones after a minute."""
        cluster = outside.administrator()
        cluster.patch("v1", "ConfigMap", "coredns", "kube-system", {"data": {"Corefile": text}})
        for replicas in (0, 1):
            outside.set_replicas(cluster, "kube-system", "coredns", replicas)
        # kube-proxy needs a moment too, and Envoy repeats a failed query only after a minute
        time.sleep(outside.SPREAD_S)


@mutant(
    "stale-gateway",
    Area.CONTROL_PLANE,
    EGRESS,
    cases("EGR-AUTHZ-01", PASS) | cases("EGR-AUTHZ-02 03 06 07", FAIL),
    {"EGR-AUTHZ-02": "expected 403"},
    nightly=True,
)
class StaleGateway(Mutant):
    """The gateway has two replicas, and the agent of one does not receive its policy: that one lets everything pass.

    Routes and policy come in one change, and a replica without routes would let nothing pass. So the policy is deleted
    once the stage has settled, the agent is stopped, and the policy is created again.
    """

    def __init__(self) -> None:
        self._stopped: list[int] = []

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "Deployment", GATEWAY):
            body["spec"]["replicas"] = 2

    def entered(self, rig: Rig) -> None:
        cluster, namespace = outside.administrator(), rig.overlay.namespace("istio-egress")
        policy = cluster.get(*_POLICY, namespace)
        assert policy is not None
        cluster.delete(*_POLICY, namespace, uid=policy["metadata"]["uid"])
        time.sleep(outside.SPREAD_S)
        pods = cluster.objects("v1", "Pod", namespace, f"app={GATEWAY}")
        self._stopped = outside.pids(pods[0]["metadata"]["uid"], "pilot-agent")
        if not self._stopped:
            raise LookupError(f"no pilot-agent runs in {pods[0]['metadata']['name']}")
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)
        kept = {name: policy["metadata"][name] for name in ("name", "namespace", "labels")}
        body = {"apiVersion": _POLICY[0], "kind": _POLICY[1], "metadata": kept, "spec": policy["spec"]}
        cluster.create(body)

    def undo(self) -> None:
        resume(self._stopped)
        self._stopped = []
