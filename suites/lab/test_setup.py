"""Before any test: the control plane runs, and exactly the pods that should have a sidecar have one."""

from __future__ import annotations

import pytest

from clients.mesh.discovery import ROOT_NAMESPACE
from clients.model.stage import Stage
from suites.lab.workloads import ENVIRONMENT

STAGE = Stage("setup", title="Security lab: control plane up, sidecars where they belong", environment=ENVIRONMENT)

CONTROL_PLANE_PORTS = {15010, 15012, 443, 15014}
SERVICE_PORTS = {"sleep": 80, "httpbin": 8000}
LEGACY = {"legacy-client": "sleep", "legacy-service": "httpbin"}
INJECTED = {"mtls-client": "sleep", "mtls-service": "httpbin"}


@pytest.mark.control("LAB-SETUP-01")
def test_control_plane_runs(observe, stage):
    cluster = stage.world.cluster
    revisions = [revision for revision in stage.world.mesh.revisions if revision != "default"]
    names = ["istiod", *(f"istiod-{revision}" for revision in revisions)]

    def problem():
        for name in names:
            service = cluster.get("v1", "Service", name, ROOT_NAMESPACE)
            ports = {port["port"] for port in service["spec"]["ports"]} if service else set()
            if not ports >= CONTROL_PLANE_PORTS:
                return f"service {name} has ports {sorted(ports)}"
        pods = cluster.pods(ROOT_NAMESPACE, "app=istiod")
        if not pods:
            return "no istiod pod"
        return next((f"pod {pod} is {pod.phase}, ready: {pod.ready}" for pod in pods if not running(pod)), None)

    expected = f"services {', '.join(names)} with ports 15010, 15012, 443, 15014; every istiod pod Running and ready"
    observe("LAB-SETUP-01", expected, problem)


@pytest.mark.control("LAB-SETUP-02")
def test_legacy_workloads_have_no_sidecar(observe, stage):
    expected = "services and Running pods in legacy-client and legacy-service, none with a container istio-proxy"
    observe("LAB-SETUP-02", expected, lambda: first_problem(stage.world, LEGACY, injected=False))


@pytest.mark.control("LAB-SETUP-03")
def test_mtls_workloads_have_a_sidecar(observe, stage):
    expected = "services and Running pods in mtls-client and mtls-service, every one with a container istio-proxy"
    observe("LAB-SETUP-03", expected, lambda: first_problem(stage.world, INJECTED, injected=True))


def running(pod):
    return pod.ready and pod.phase == "Running"


def first_problem(world, apps, *, injected):
    """The first problem of a Service or of an app's pods; None when there is none."""
    for place, app in apps.items():
        namespace = world.overlay.namespace(place)
        service = world.cluster.get("v1", "Service", app, namespace)
        ports = [port["port"] for port in service["spec"]["ports"]] if service else []
        if SERVICE_PORTS[app] not in ports:
            return f"service {app} in {place} has ports {ports}"
        pods = world.cluster.pods(namespace, f"app={app}")
        if not pods:
            return f"no pod of {app} in {place}"
        for pod in pods:
            if not running(pod):
                return f"pod {pod} is {pod.phase}, ready: {pod.ready}"
            if pod.injected is not injected:
                return f"pod {pod} has containers {', '.join(pod.containers)}"
    return None
