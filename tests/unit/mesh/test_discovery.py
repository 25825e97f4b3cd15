"""What is found about a mesh: version, revisions, capabilities."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_fakes import FakeCluster
from pydantic import TypeAdapter

from clients.kube.pods import Pod
from clients.mesh.discovery import MeshInfo, discover

pytestmark = pytest.mark.unit


class Meshed(FakeCluster):
    kinds: tuple[str, ...] = ("PeerAuthentication", "RequestAuthentication")

    def has_kind(self, _: str, kind: str) -> bool:
        return kind in self.kinds


def istiod(image: str, version: str = "") -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app.kubernetes.io/version": version}},
        "spec": {"containers": [{"image": image}]},
    }
    meta = {"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod"}}
    return {"kind": "Deployment", "metadata": meta, "spec": {"template": template}}


def webhook(
    revision: str, tag: str = "", service: tuple[str, str] | None = None, url: str = "", **selector: Any
) -> dict[str, Any]:
    labels = {"app": "sidecar-injector", "istio.io/rev": revision} | ({"istio.io/tag": tag} if tag else {})
    namespace, name = service or ("istio-system", "istiod" if revision == "default" else f"istiod-{revision}")
    client = {"url": url} if url else {"service": {"namespace": namespace, "name": name, "path": "/inject"}}
    hook = {
        "name": "rev.namespace.sidecar-injector.istio.io",
        "clientConfig": client,
        "namespaceSelector": selector.get("selector", {"matchLabels": {"istio.io/rev": tag or revision}}),
    }
    meta = {"name": f"hook-{tag or revision}", "labels": labels}
    return {"kind": "MutatingWebhookConfiguration", "metadata": meta, "webhooks": [hook]}


@pytest.mark.parametrize(
    ("image", "label", "version"),
    [
        ("docker.io/istio/pilot:1.31.1", "1.0.0", "1.31.1"),
        ("registry:5000/pilot:1.29.1-distroless", "", "1.29.1"),
        ("gcr.io/gke-release/asm/pilot:1.15.7-asm.23", "", "1.15.7-asm.23"),
        ("registry:5000/pilot@sha256:0123", "1.30.2", "1.30.2"),
        ("pilot:latest", "", ""),
    ],
)
def test_the_version_is_that_of_the_image(image: str, label: str, version: str):
    cluster = Meshed()
    cluster.put(istiod(image, label))
    assert discover(cluster).version == version


def test_revisions_and_capabilities():
    cluster = Meshed()
    mesh = {"mesh": "accessLogFile: /dev/stdout\n"}
    config = {"kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"}, "data": mesh}
    cluster.put(istiod("pilot:1.31.1"), webhook("default"), webhook("asm-1157-23"), config)
    found = discover(cluster)
    assert (found.name, found.revisions) == ("istio", ("asm-1157-23", "default"))
    assert {"sidecar-injection", "mesh-wide", "jwt", "access-log", "plaintext-client"} <= found.capabilities
    assert "network-policy" not in found.capabilities


def test_what_was_found_is_what_its_type_says():
    """It travels as JSON to every test process; a set in place of a frozenset ended the run there."""
    cluster = Meshed()
    cluster.put(istiod("pilot:1.31.1"), webhook("default"))
    found = TypeAdapter(MeshInfo)
    mesh = discover(cluster)
    assert found.validate_json(found.dump_json(mesh)) == mesh
    assert isinstance(mesh.capabilities, frozenset)


def mesh_config(revision: str, text: str) -> dict[str, Any]:
    name = f"istio-{revision}" if revision else "istio"
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "istio-system"}, "data": {"mesh": text}}


PROVIDERS = """
extensionProviders:
- name: tracing
  zipkin: {service: zipkin.example, port: 9411}
- name: by-grpc
  envoyExtAuthzGrpc: {service: ext-authz.meshproof.test, port: 9000}
- name: ours
  envoyExtAuthzHttp: {service: ext-authz.meshproof.test, port: 8000}
"""


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        (PROVIDERS, "ours"),
        (PROVIDERS.replace("service: ext-authz", "service: authz/ext-authz"), "ours"),
        (PROVIDERS.replace("ext-authz.meshproof.test", "oauth2-proxy.example"), ""),
        ("extensionProviders:", ""),
        ("extensionProviders: [", ""),
        ("accessLogFile: /dev/stdout", ""),
    ],
)
def test_the_provider_of_external_authorization_is_found_by_its_server(text: str, provider: str):
    cluster = Meshed()
    cluster.put(mesh_config("canary", "accessLogFile: ''"), mesh_config("", text))
    found = discover(cluster)
    assert found.ext_authz == provider
    assert ("ext-authz" in found.capabilities) is bool(provider)


def gateway_class(name: str, controller: str = "istio.io/gateway-controller") -> dict[str, Any]:
    return {"kind": "GatewayClass", "metadata": {"name": name}, "spec": {"controllerName": controller}}


@pytest.mark.parametrize(
    ("classes", "chosen"),
    [
        ([gateway_class("asm"), gateway_class("istio"), gateway_class("other", "example.com/other")], "istio"),
        ([gateway_class("asm-managed"), gateway_class("istio-remote", "istio.io/unmanaged-gateway")], "asm-managed"),
        ([gateway_class("gke", "networking.gke.io/gateway")], ""),
        ([], ""),
    ],
)
def test_the_gateway_class_is_one_of_the_mesh(classes: list[dict[str, Any]], chosen: str):
    cluster = Meshed()
    cluster.kinds = ("HTTPRoute",)
    cluster.put(*classes)
    found = discover(cluster)
    assert found.gateway_class == chosen
    assert ("gateway-api" in found.capabilities) is bool(chosen)
    cluster.kinds = ()
    assert discover(cluster).gateway_class == ""


@pytest.mark.parametrize(
    ("interval", "soon"), [("1s", True), ("500ms", True), ("5s", True), ("6s", False), ("20m0s", False), ("", False)]
)
def test_whether_istiod_fetches_keys_again_soon(interval: str, soon: bool):
    cluster, deployment = Meshed(), istiod("pilot:1.31.1")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL", "value": interval}] if interval else []
    cluster.put(deployment)
    assert ("key-refresh" in discover(cluster).capabilities) is soon


def test_a_provider_keeps_its_secrets_from_istioctl():
    """istioctl fails at that list, and its controls were inconclusive."""
    cluster = Meshed()
    cluster.put(istiod("pilot:1.31.1"), webhook("default"))
    assert discover(cluster).not_analyzed == ""
    cluster.forbidden.add(("list", "secrets", "istio-system"))
    assert "secrets in istio-system" in discover(cluster).not_analyzed


def test_pod_security_of_a_provider_s_namespace_cannot_be_tried():
    cluster = Meshed()
    cluster.put(istiod("pilot:1.31.1"), webhook("default"))
    assert "psp" in discover(cluster).capabilities
    cluster.forbidden.add(("patch", "pods", "istio-system"))
    assert "may not create pods in istio-system" in discover(cluster).lacks["psp"]


def service(address: str = "10.96.7.7") -> dict[str, Any]:
    meta = {"name": "istiod", "namespace": "istio-system"}
    return {"kind": "Service", "metadata": meta, "spec": {"clusterIP": address, "selector": {"app": "istiod"}}}


@pytest.mark.parametrize(
    ("blocked", "why_not"),
    [
        ("", ""),
        ("192.168.0.0/16, 10.0.0.0/16", ""),
        ("192.168.0.0/16,10.0.0.0/8", "BLOCKED_CIDRS_IN_JWKS_URIS"),
        ("not a range", "BLOCKED_CIDRS_IN_JWKS_URIS"),
    ],
)
def test_whether_istiod_fetches_keys_inside_the_cluster(blocked: str, why_not: str):
    """A hardened istiod takes an unknown key in their place: good tokens were refused, and the mesh was blamed."""
    cluster, deployment = Meshed(), istiod("pilot:1.31.1")
    deployment["spec"]["template"]["metadata"]["labels"]["app"] = "istiod"
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "BLOCKED_CIDRS_IN_JWKS_URIS", "value": blocked}] if blocked else []
    cluster.put(deployment, service(), webhook("default"))
    assert why_not in discover(cluster).lacks.get("key-fetch", "")
    assert ("key-fetch" in discover(cluster).capabilities) is (not why_not)


def test_an_istiod_outside_the_cluster_fetches_no_keys_inside_it():
    cluster = Meshed()
    cluster.put(webhook("asm-managed", url="https://istiod.example.com/inject"))
    assert "no Deployment" in discover(cluster).lacks["key-fetch"]


@pytest.mark.parametrize(
    ("data", "template"),
    [
        ({"config": "templates:\n  cni: |\n    spec:\n  sidecar: |\n", "values": "{}"}, "cni"),
        ({"config": "templates:\n  sidecar: |\n", "values": '{"pilot": {"cni": {"enabled": true}}}'}, "sidecar"),
        ({"config": "templates:\n  sidecar: |\n", "values": '{"istio_cni": {"enabled": true}}'}, "sidecar"),
        ({"config": "templates:\n  sidecar: |\n", "values": '{"pilot": {"cni": {"enabled": false}}}'}, ""),
        ({}, ""),
    ],
)
def test_the_template_whose_pods_do_not_need_net_admin(data: dict[str, str], template: str):
    cluster = Meshed()
    meta = {"name": "istio-sidecar-injector-canary", "namespace": "istio-system"}
    cluster.put(istiod("pilot:1.31.1"), {"kind": "ConfigMap", "metadata": meta, "data": data})
    found = discover(cluster)
    assert found.unprivileged == template
    assert ("istio-cni" in found.capabilities) is bool(template)


def test_a_cluster_without_a_mesh():
    cluster = Meshed()
    cluster.kinds = ()
    found = discover(cluster)
    assert (found.name, found.version, found.revisions) == ("", "", ())
    assert not found.capabilities & {"sidecar-injection", "mesh-wide", "jwt", "access-log"}


@pytest.mark.parametrize(
    ("spec", "injected"),
    [
        ({"containers": [{"name": "sleep"}]}, False),
        ({"containers": [{"name": "sleep"}, {"name": "istio-proxy"}]}, True),
        ({"containers": [{"name": "sleep"}], "initContainers": [{"name": "istio-init"}]}, False),
        (
            {
                "containers": [{"name": "sleep"}],
                "initContainers": [{"name": "istio-proxy", "restartPolicy": "Always"}],
            },
            True,
        ),
    ],
)
def test_a_sidecar_is_found_native_or_not(spec: dict[str, Any], injected: bool):
    assert Pod.from_json({"metadata": {"namespace": "n", "name": "p"}, "spec": spec}).injected is injected


def test_a_pod_that_is_going_is_not_ready():
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    meta = {"namespace": "n", "name": "p"}
    assert Pod.from_json({"metadata": meta, "status": status}).ready
    assert not Pod.from_json({"metadata": {**meta, "deletionTimestamp": "now"}, "status": status}).ready
