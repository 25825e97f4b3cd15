"""Mutants of what egress depends on: network policies' engine, external hosts, name servers, the control plane."""

from __future__ import annotations

import os
import signal
import time

from clients.proof.rig.rig import Rig
from testbed import api, internet
from tests.mutants import outside
from tests.mutants.egress.gateway import GATEWAY
from tests.mutants.entry import FAIL, LOST, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import EGRESS
from tests.mutants.workloads.workloads import resume

_POLICY = ("security.istio.io/v1", "AuthorizationPolicy", "egress-team-x-to-example-com")


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
