"""Which pods are on the path of a request, which were ready before, and from when on others must have changed them."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeCluster, labelled

from clients.apply.applier import Applier
from clients.apply.item import Item, containers_of
from clients.apply.limits import Limits
from clients.apply.overlay import Overlay
from clients.kube.pods import Pod
from clients.mesh.egress_gateway import EgressGateway
from clients.model.errors import InfrastructureError
from clients.model.probe import Workload
from clients.probe.outside import through
from clients.proof.rig import workloads as module
from clients.proof.rig.rig import Rig
from clients.proof.rig.workloads import Workloads

pytestmark = pytest.mark.unit

OVERLAY = Overlay("p-", "r1", "gw0", {}, "", {}, frozenset({"shop", "edge", "mtls-client"}))


def service(name: str, namespace: str, **selector: str) -> dict[str, Any]:
    return labelled("Service", name, namespace, spec={"selector": selector})


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.put(service("web", "p-shop", app="web"), service("door", "p-edge", app="door"))
    return made


@pytest.fixture
def workloads(cluster: FakeCluster) -> Workloads:
    external: Any = SimpleNamespace(knows=lambda host: host == "example.com")
    return Workloads(cluster, OVERLAY, external, EgressGateway(namespace="edge", label="istio=egress"))  # type: ignore[arg-type]


def test_a_path_has_the_server_and_the_gateways_before_it(workloads: Workloads) -> None:
    web, door, egress = ("p-shop", {"app": "web"}), ("p-edge", {"app": "door"}), ("p-edge", {"istio": "egress"})
    assert workloads.selectors(CLIENT.get("http://web.shop:80/")) == [web]
    assert workloads.selectors(CLIENT.get("http://door.edge:80/", behind="web.shop")) == [web, door]
    outside = through(Workload("edge", "door", "istio-proxy"))
    assert workloads.selectors(outside.get("http://web.example.com/", behind="web.shop")) == [web, door]
    assert workloads.selectors(CLIENT.get("http://example.com/")) == [egress]
    assert workloads.selectors(CLIENT.get("http://10.0.0.1/")) == []


def test_pods_that_were_ready_are_remembered_until_the_run_itself_changes_them(
    workloads: Workloads, cluster: FakeCluster
) -> None:
    began = time.monotonic() - 1.0
    web = Pod("p-shop", "web-1", ready=True, labels={"app": "web", "v": "1"}, uid="u-1")
    cluster.pods_of["p-shop"] = [web, Pod("p-shop", "web-2", labels={"app": "web"}, uid="u-2")]
    assert workloads.backends(CLIENT.get("http://web.shop:80/")) == [web]
    assert workloads.seen_ready("p-shop", {"app": "web"}, began) == [web]
    assert workloads.seen_ready("p-shop", {"app": "other"}, began) == []
    assert workloads.seen_ready("p-edge", {"app": "web"}, began) == []
    assert workloads.seen_ready("p-shop", {"app": "web"}, time.monotonic() + 1.0) == [], "the run changed it since"
    before = workloads.forgotten_at
    workloads.forget()
    assert workloads.seen_ready("p-shop", {"app": "web"}, began) == []
    assert workloads.forgotten_at >= before


def test_a_pod_that_is_ready_no_more_may_have_served_requests_until_it_was_missed(
    workloads: Workloads, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PODS_SHARED_S", 0.0)
    workloads = Workloads(cluster, OVERLAY, None, EgressGateway())  # type: ignore[arg-type]
    probe = CLIENT.get("http://web.shop:80/")
    one, other = (Pod("p-shop", name, ready=True, labels={"app": "web"}, uid=name) for name in ("web-1", "web-2"))
    cluster.pods_of["p-shop"] = [one, other]
    workloads.backends(probe)
    began = time.monotonic()
    assert workloads.gone(probe, began) == {}
    cluster.pods_of["p-shop"] = [replace(one, ready=False), other]
    [(pod, ready_at)] = workloads.gone(probe, began).items()
    assert pod == one
    assert ready_at <= time.monotonic()
    assert workloads.gone(probe, time.monotonic()) == {}, "it was missed before a later case began"
    cluster.pods_of["p-shop"] = [one, replace(other, uid="web-2-again")]
    assert [pod.name for pod in workloads.gone(probe, began)] == ["web-2"], "another one of the same name"
    workloads.forget()
    assert workloads.gone(probe, began) == {}, "the run itself has changed them"


def test_a_selector_of_another_form_is_no_obstacle(cluster: FakeCluster) -> None:
    cluster.pods = lambda *_: []  # type: ignore[method-assign]
    gateway = EgressGateway(namespace="edge", label="istio in (egress, out)")
    workloads = Workloads(cluster, OVERLAY, None, gateway)  # type: ignore[arg-type]
    assert workloads.gateway_pods() == []


def test_a_new_pod_of_the_gateway_is_noticed_once(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PODS_SHARED_S", 0.0)
    workloads = Workloads(cluster, OVERLAY, None, EgressGateway())  # type: ignore[arg-type]
    probe = through(Workload("edge", "door", "istio-proxy")).get("http://web.example.com/", behind="web.shop")
    one, other = (Pod("p-edge", name, ready=True, labels={"app": "door"}, uid=name) for name in ("door-1", "door-2"))
    cluster.pods_of["p-edge"] = [one]
    assert workloads.new_doors(probe) == []
    cluster.pods_of["p-edge"] = [one, other]
    assert workloads.new_doors(probe) == [other]
    assert workloads.new_doors(probe) == []
    assert workloads.pods(probe.source) == [one, other]
    assert workloads.new_doors(CLIENT.get("http://web.shop:80/")) == []


def test_a_namespace_has_settled_once_the_pods_of_what_was_applied_are_ready(
    cluster: FakeCluster, workloads: Workloads, tmp_path: Any
) -> None:
    applier = Applier(cluster, OVERLAY, tmp_path, Limits(timeout_s=0.0))  # type: ignore[arg-type]
    rig: Any = SimpleNamespace(applier=applier, workloads=workloads)

    def settled(namespace: str) -> float:
        return Rig.settled_at(rig, namespace)

    cluster.put(labelled("Pod", "one", "p-shop", status={"phase": "Succeeded"}))
    applier.wait_ready([Item("a.yaml", labelled("ConfigMap", "one", "p-shop"))])
    assert settled("p-shop") == workloads.forgotten_at, "no pod of it is made anew for this"
    applier.wait_ready([Item("a.yaml", labelled("Pod", "one", "p-shop"))])
    assert settled("p-shop") > workloads.forgotten_at == settled("p-edge")
    workloads.forget()
    assert settled("p-shop") == workloads.forgotten_at
    applier.delete([Item("a.yaml", labelled("Deployment", "two", "p-shop"))])
    assert settled("p-shop") > workloads.forgotten_at, "what it owned goes in the background"


def test_a_client_that_does_not_pass_its_proxy_by_sends_nothing(workloads: Workloads, cluster: FakeCluster) -> None:
    """It would be answered as one of the mesh, and the mesh be blamed for it."""
    catalog = Pod("p-shop", "web-1", ready=True, labels={"app": "web"}, not_past=frozenset({"plain"}))
    cluster.pods_of["p-shop"] = [catalog]
    assert workloads.pods(Workload("shop", "web", "main")) == [catalog]
    with pytest.raises(InfrastructureError, match="do not pass the proxy by"):
        workloads.pods(Workload("shop", "web", "plain"))


def test_containers_that_a_cluster_adds_to_a_pod_are_none_of_the_applications(
    workloads: Workloads, cluster: FakeCluster
) -> None:
    """One that prints what the sidecar logs was taken for the application that had got a refused request."""
    labels = {"app": "web"}
    spec = {"containers": [{"name": "web"}], "initContainers": [{"name": "first"}]}
    items = [
        Item(
            "m.yaml", labelled(kind, "web", "p-shop", spec={"template": {"metadata": {"labels": labels}, "spec": spec}})
        )
        for kind in ("Deployment", "Service")
    ]
    there = ("web", "log-shipper", "istio-proxy")
    cluster.pods_of["p-shop"] = [Pod("p-shop", "web-1", ready=True, labels={**labels, "v": "1"}, containers=there)]
    probe = CLIENT.get("http://web.shop:80/")
    assert workloads.backends(probe)[0].containers == there, "nothing states them"
    workloads.stated = partial(containers_of, items)
    assert workloads.backends(probe)[0].containers == ("web", "istio-proxy")
    assert workloads.pods(Workload("shop", "web", "web"))[0].containers == ("web", "istio-proxy")
    assert containers_of(items, "p-shop", {"app": "other"}) == containers_of(items, "p-other", labels) == frozenset()
    assert containers_of(items, "p-shop", labels) == {"web", "first"}
