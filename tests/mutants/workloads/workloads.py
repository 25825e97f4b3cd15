"""Mutants of workloads: the backend, a replica, the control plane."""

from __future__ import annotations

import copy
import os
import signal
import time

from clients.proof.rig.rig import Rig
from tests.mutants import outside
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, document_namespace, networking, of_kind, policies
from tests.mutants.places import MESH, STRICT

ROOT_NAMESPACE = "istio-system"
_WEBHOOKS = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "istio-validator-istio-system")


@mutant(
    "backend-down",
    Area.BACKEND,
    MESH,
    cases("LAB-MTLS-01 03", FAIL) | cases("LAB-MTLS-02 04", PASS),
    {"LAB-MTLS-01": "saw 503", "LAB-MTLS-03": "refused"},
)
class BackendDown(Mutant):
    """httpbin of mtls-service has no pod while the cases are proven."""

    def __init__(self) -> None:
        self._down = ""

    def entered(self, rig: Rig) -> None:
        self._down = rig.overlay.namespace("mtls-service")
        outside.set_replicas(outside.administrator(), self._down, "httpbin", 0)

    def undo(self) -> None:
        if self._down:
            outside.set_replicas(outside.administrator(), self._down, "httpbin", 1)
        self._down = ""


@mutant(
    "istiod-stopped",
    Area.CONTROL_PLANE,
    STRICT,
    cases("LAB-NSMTLS-02 03 04", FAIL),
    {"LAB-NSMTLS-03": "settled 1"},
)
class IstiodStopped(Mutant):
    """The change is accepted and reaches no sidecar: istiod is stopped when the stage reads its policies.

    The state before is still seen, for sidecars keep what they have. istiod is also what validates policies; its
    webhook is set to let them pass, or nothing could be applied at all. istiod repairs it when it starts again.
    """

    def __init__(self) -> None:
        self._stopped = False

    def objects(self, objects: list[Object]) -> None:
        if self._stopped or not policies(objects):
            return
        self._stopped = True
        cluster = outside.administrator()
        outside.set_replicas(cluster, ROOT_NAMESPACE, "istiod", 0)
        webhooks = cluster.get(*_WEBHOOKS)
        assert webhooks is not None
        for webhook in webhooks["webhooks"]:
            webhook["failurePolicy"] = "Ignore"
        cluster.replace(webhooks)

    def undo(self) -> None:
        if self._stopped:
            repair_istiod()
        self._stopped = False


def repair_istiod() -> None:
    """istiod as the testbed has it: one replica, which answers, and whose webhook refuses what it cannot validate."""
    cluster = outside.administrator()
    outside.set_replicas(cluster, ROOT_NAMESPACE, "istiod", 1)

    def refuses() -> bool:
        found = cluster.get(*_WEBHOOKS)
        return found is not None and all(one["failurePolicy"] == "Fail" for one in found["webhooks"])

    outside.wait("istiod's validation webhook", refuses)


def stop_agent(namespace: str, label: str) -> list[int]:
    """Stop the agent of the proxy in one pod with this label; returns its process ids.

    Of several pods it is one of the last node: a harness that asks the first node alone does not come to it.

    Raises:
        LookupError: no agent runs there.
    """
    pods = outside.administrator().objects("v1", "Pod", namespace, label)
    pod = max(pods, key=lambda one: str(one["spec"]["nodeName"]))["metadata"]
    stopped = outside.pids(pod["uid"], "pilot-agent")
    if not stopped:
        raise LookupError(f"no pilot-agent runs in {namespace}/{pod['name']}")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    return stopped


def resume(pids: list[int]) -> None:
    """Let processes go on that `stop_agent` stopped."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@mutant(
    "replica-cut-off",
    Area.CONTROL_PLANE,
    STRICT,
    cases("LAB-NSMTLS-02 03 04", FAIL),
    {"LAB-NSMTLS-03": "saw 200"},
)
class ReplicaCutOff(Mutant):
    """The strict server has two replicas; the agent of one is stopped before the change, so its sidecar keeps the old.

    Its readiness fails by that too, but takes it out of the Service only after a minute (Istio's template).
    """

    def __init__(self) -> None:
        self._stopped: list[int] = []

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "Deployment", "httpbin"):
            if document_namespace(body) == "strict-mtls-service":
                body["spec"]["replicas"] = 2
        applied = policies(objects)
        if applied and not self._stopped:
            time.sleep(outside.SPREAD_S)  # kube-proxy leads to a new replica a second or more after it is ready
            self._stopped = stop_agent(applied[0]["metadata"]["namespace"], "app=httpbin")

    def undo(self) -> None:
        resume(self._stopped)
        self._stopped = []


@mutant("host-shadowed-by-an-entry", Area.BACKEND, MESH, cases("LAB-PERM-01", FAIL), nightly=True)
def host_shadowed_by_an_entry(objects: list[Object]) -> None:
    """An entry for the name of a Service of the mesh, and a route that prefers it, lead to another server."""
    for body in list(of_kind(objects, "Service", "httpbin")):
        if document_namespace(body) == "mtls-service":
            meta = {**copy.deepcopy(body["metadata"]), "name": "shadow"}
            other = f"httpbin.{meta['namespace'].replace('mtls-service', 'legacy-service')}.svc.cluster.local"
            port = {"number": 8000, "name": "http", "protocol": "HTTP"}
            spec = {"hosts": ["shadow.example.com"], "ports": [port], "resolution": "DNS", "location": "MESH_EXTERNAL"}
            objects.append(networking("ServiceEntry", meta, {**spec, "endpoints": [{"address": other}]}))
            route = {"route": [{"destination": {"host": "shadow.example.com", "port": {"number": 8000}}}]}
            own = f"httpbin.{meta['namespace']}.svc.cluster.local"
            objects.append(networking("VirtualService", meta, {"hosts": [own], "http": [route]}))


@mutant("endpoints-by-hand", Area.BACKEND, MESH, cases("LAB-PERM-01", FAIL), nightly=True)
class EndpointsByHand(Mutant):
    """A slice of endpoints that no controller has made leads half of a Service's requests to another server."""

    def __init__(self) -> None:
        self._made = ""

    def entered(self, rig: Rig) -> None:
        cluster, own = outside.administrator(), rig.overlay.namespace("mtls-service")
        [other] = cluster.pods(rig.overlay.namespace("legacy-service"))
        labels = {**rig.overlay.labels, "kubernetes.io/service-name": "httpbin"}
        endpoint = {"addresses": [other.ip], "conditions": {"ready": True}}
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "by-hand", "namespace": own, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [endpoint],
        }
        cluster.create(slice_)
        self._made = own
        time.sleep(outside.SPREAD_S)

    def undo(self) -> None:
        if self._made:
            outside.administrator().delete("discovery.k8s.io/v1", "EndpointSlice", "by-hand", self._made)
        self._made = ""
