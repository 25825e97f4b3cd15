"""Before any test: the control plane runs, and exactly the pods that should have a sidecar have one."""

from __future__ import annotations

import pytest

from clients.mesh.survey import injection
from clients.model.stage import Stage
from suites.lab.workloads import ENVIRONMENT

STAGE = Stage("setup", title="Security lab: control plane up, sidecars where they belong", environment=ENVIRONMENT)

CONTROL_PLANE_PORTS = {15012, 443, 15014}
"""Without 15010, which serves configuration as plain text: hardened installations shut it (docs/deviations.md)."""
WEBHOOKS = ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")
SERVICE_PORTS = {"sleep": 80, "httpbin": 8000}
LEGACY = {"legacy-client": "sleep", "legacy-service": "httpbin"}
INJECTED = {"mtls-client": "sleep", "mtls-service": "httpbin"}


@pytest.mark.control("LAB-SETUP-01", needs=frozenset({"istiod"}))
def test_control_plane_runs(observe, stage):
    cluster = stage.rig.cluster
    name, namespace = stage.rig.mesh.service, stage.rig.mesh.control_namespace

    def problem():
        service = cluster.get("v1", "Service", name, namespace)
        ports = {port["port"] for port in service["spec"]["ports"]} if service else set()
        if not ports >= CONTROL_PLANE_PORTS:
            return f"service {name} in {namespace} has ports {sorted(ports)}"
        selector = service["spec"].get("selector") or {}
        pods = cluster.pods(namespace, ",".join(f"{key}={value}" for key, value in selector.items()))
        if not pods:
            return "no istiod pod"
        return next((f"pod {pod} is {pod.phase}, ready: {pod.ready}" for pod in pods if not running(pod)), None)

    expected = f"service {name} of the revision in use with ports 15012, 443, 15014; every pod of it Running and ready"
    observe("LAB-SETUP-01", expected, problem)


@pytest.mark.control("LAB-SETUP-02")
def test_legacy_workloads_have_no_sidecar(observe, stage):
    expected = "services and Running pods in legacy-client and legacy-service, none with a container istio-proxy"
    observe("LAB-SETUP-02", expected, lambda: first_problem(stage.rig, LEGACY, injected=False))


@pytest.mark.control("LAB-SETUP-03")
def test_mtls_workloads_have_a_sidecar(observe, stage):
    expected = "services and Running pods in mtls-client and mtls-service, every one with a container istio-proxy"
    observe("LAB-SETUP-03", expected, lambda: first_problem(stage.rig, INJECTED, injected=True))


@pytest.mark.control("X-LAB-INJECT-01")
def test_no_pod_starts_without_its_sidecar_where_the_injector_does_not_answer(observe, stage):
    mesh = stage.rig.mesh

    def problem():
        found = injection.injectors(stage.rig.cluster.objects(*WEBHOOKS))
        used = injection.injector_of(injection.Revision(mesh.label, mesh.revision), found)
        if used is None:
            return f"nothing injects by {mesh.label or 'istio-injection: enabled'}"
        return "a webhook of it has the failure policy Ignore" if used.fails_open else None

    observe("X-LAB-INJECT-01", "each webhook of the injector in use has the failure policy Fail", problem)


def running(pod):
    return pod.ready and pod.phase == "Running"


def first_problem(rig, apps, *, injected):
    """The first problem of a Service or of an app's pods; None when there is none."""
    for place, app in apps.items():
        namespace = rig.overlay.namespace(place)
        service = rig.cluster.get("v1", "Service", app, namespace)
        ports = [port["port"] for port in service["spec"]["ports"]] if service else []
        if SERVICE_PORTS[app] not in ports:
            return f"service {app} in {place} has ports {ports}"
        pods = rig.cluster.pods(namespace, f"app={app}")
        if not pods:
            return f"no pod of {app} in {place}"
        for pod in pods:
            if not running(pod):
                return f"pod {pod} is {pod.phase}, ready: {pod.ready}"
            if pod.injected is not injected:
                return f"pod {pod} has containers {', '.join(pod.containers)}"
    return None
