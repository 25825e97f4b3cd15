"""What mesh a cluster runs: version, revisions, and the capabilities that controls ask for. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.mesh import meshconfig
from clients.model.errors import ClusterError

if TYPE_CHECKING:
    from clients.kube.cluster import Cluster

ROOT_NAMESPACE = "istio-system"
REVISION_LABEL = "istio.io/rev"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
_ADMISSION = "admissionregistration.k8s.io/v1"
CNI_TEMPLATE = "cni"
"""Injection template of the testbed by which pods do without NET_ADMIN."""
_REFRESH = "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL"
_REFRESH_LIMIT_S = 5.0
"""The longest interval that a case can wait for, with the spread of the change, within its budget."""
_CLOUDS = ("gce://", "aws://", "azure://")
_SECURITY = "security.istio.io/v1"
_GATEWAY_API = "gateway.networking.k8s.io/v1"
_GATEWAY_CONTROLLER = "istio.io/gateway-controller"
"""Controller of the classes of which istiod deploys gateways (Istio, Kubernetes Gateway API)."""


@dataclass(frozen=True)
class MeshInfo:
    """The mesh of a cluster.

    Attributes:
        name: `istio`; empty where none was found.
        version: of istiod, from its image tag or its version label.
        revisions: values of `istio.io/rev` that injection webhooks react to, sorted (`asm-1157-23`, `default`).
        capabilities: names of the catalogue's `capabilities` that the cluster has.
        gateway_nodes: there are nodes of the pool `gateway`.
        unprivileged: injection template by which pods do without NET_ADMIN; empty where there is none.
        ext_authz: name of the provider of external authorization whose server the suites deploy; empty for none.
        gateway_class: class of Kubernetes' Gateway API that this mesh's gateways have; empty for none.
    """

    name: str = ""
    version: str = ""
    revisions: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    gateway_nodes: bool = False
    unprivileged: str = ""
    ext_authz: str = ""
    gateway_class: str = ""


def discover(cluster: Cluster) -> MeshInfo:
    """Look at what is installed.

    Raises:
        AccessError: the identity may not read the root namespace or the webhooks.
    """
    istiods = cluster.objects("apps/v1", "Deployment", ROOT_NAMESPACE, labels="app=istiod")
    webhooks = cluster.objects(_ADMISSION, "MutatingWebhookConfiguration", labels="app=sidecar-injector")
    labels = [hook["metadata"].get("labels", {}) for hook in webhooks]
    revisions = tuple(sorted({rev for found in labels if (rev := found.get(REVISION_LABEL))}))
    nodes = _nodes(cluster)
    pool = [node for node in nodes or () if node["metadata"].get("labels", {}).get(NODE_POOL_LABEL) == "gateway"]
    meshes = meshconfig.read(cluster, ROOT_NAMESPACE)
    provider, gateway_class = meshconfig.ext_authz_provider(meshes), _gateway_class(cluster)
    capabilities = set(_capabilities(cluster, bool(istiods and webhooks)))
    capabilities |= {"access-log"} if meshconfig.logs_access(meshes) else set()
    capabilities |= {"ext-authz"} if provider else set()
    capabilities |= {"gateway-api"} if gateway_class else set()
    if nodes is not None and _balances_load(cluster, nodes):
        capabilities.add("load-balancer")
    if any(_dedicated(node) for node in pool):
        capabilities.add("node-pool")
    if unprivileged := _unprivileged(cluster):
        capabilities.add("istio-cni")
    if any(_refreshes_keys(istiod) for istiod in istiods):
        capabilities.add("key-refresh")
    return MeshInfo(
        "istio" if istiods else "",
        _version(istiods),
        revisions,
        frozenset(capabilities),
        bool(pool),
        unprivileged,
        provider,
        gateway_class,
    )


def _nodes(cluster: Cluster) -> list[dict[str, Any]] | None:
    """The nodes; None where this identity may not look."""
    try:
        return cluster.objects("v1", "Node")
    except ClusterError:
        return None


def _dedicated(node: dict[str, Any]) -> bool:
    taints = node.get("spec", {}).get("taints", ())
    return any((t.get("key"), t.get("value"), t["effect"]) == ("dedicated", "gateway", "NoSchedule") for t in taints)


def _version(istiods: list[dict[str, Any]]) -> str:
    """From the image's tag (`1.29.1-distroless`, `1.15.7-asm.23`); some builds are labelled with the chart's 1.0.0."""
    for deployment in istiods:
        labels = deployment["spec"]["template"]["metadata"].get("labels", {})
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].split("@", 1)[0]
        tag = image.rsplit(":", 1)[1] if ":" in image.rsplit("/", 1)[-1] else ""
        for said in (tag, str(labels.get("app.kubernetes.io/version") or "")):
            if version := re.match(r"\d+\.\d+(\.\d+)?(-(asm|alpha|beta|rc|dev)[\w.]*)?", said):
                return version.group()
    return ""


def _capabilities(cluster: Cluster, injects: bool) -> Iterable[str]:
    yield "plaintext-client"
    yield "browser"
    if injects:
        yield from ("sidecar-injection", "proxy-config", "metrics")
    if injects and cluster.has_kind("networking.istio.io/v1", "Gateway"):
        yield from ("ingress-gateway", "tls-listener")
    if cluster.has_kind(_SECURITY, "PeerAuthentication"):
        yield "mesh-wide"
    if cluster.has_kind(_SECURITY, "RequestAuthentication"):
        yield "jwt"
    if _enforces_network_policy(cluster):
        yield "network-policy"


def _unprivileged(cluster: Cluster) -> str:
    """The template of the testbed, else Istio's own where the whole mesh is injected for the CNI plug-in."""
    maps = cluster.objects("v1", "ConfigMap", ROOT_NAMESPACE)
    injectors = [m.get("data", {}) for m in maps if m["metadata"]["name"].startswith("istio-sidecar-injector")]
    if any(f"\n  {CNI_TEMPLATE}: |" in data.get("config", "") for data in injectors):
        return CNI_TEMPLATE
    values = [json.loads(data.get("values") or "{}") for data in injectors]
    return "sidecar" if values and all(_cni_enabled(one) for one in values) else ""


def _cni_enabled(values: dict[str, Any]) -> bool:
    """Istio's value `pilot.cni.enabled`; up to 1.23 `istio_cni.enabled`."""
    return bool(values.get("pilot", {}).get("cni", {}).get("enabled") or values.get("istio_cni", {}).get("enabled"))


def _refreshes_keys(istiod: dict[str, Any]) -> bool:
    """Whether it asks issuers again within a case's patience. Go writes durations as `1s`, `500ms`, `20m0s`."""
    variables = [one for c in istiod["spec"]["template"]["spec"]["containers"] for one in c.get("env", ())]
    said = next((str(one.get("value", "")) for one in variables if one["name"] == _REFRESH), "")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", said)
    return found is not None and float(found[1]) / (1000 if found[2] == "ms" else 1) <= _REFRESH_LIMIT_S


def _balances_load(cluster: Cluster, nodes: list[dict[str, Any]]) -> bool:
    """Whether somebody gives addresses to Services: the nodes are those of a cloud, or a Service has one."""
    if any(node.get("spec", {}).get("providerID", "").startswith(_CLOUDS) for node in nodes):
        return True
    try:
        services = cluster.objects("v1", "Service")
    except ClusterError:
        return False
    return any(service.get("status", {}).get("loadBalancer", {}).get("ingress") for service in services)


def _gateway_class(cluster: Cluster) -> str:
    """Class of Kubernetes' Gateway API whose gateways the mesh deploys; its standard one, `istio`, before any other."""
    if not cluster.has_kind(_GATEWAY_API, "HTTPRoute"):
        return ""
    try:
        classes = cluster.objects(_GATEWAY_API, "GatewayClass")
    except ClusterError:
        return ""
    ours = {one["metadata"]["name"] for one in classes if one["spec"].get("controllerName") == _GATEWAY_CONTROLLER}
    return min(ours, key=lambda name: (name != "istio", name), default="")


def _enforces_network_policy(cluster: Cluster) -> bool:
    """By what is installed: Calico's datastore, or the agent of Calico, Cilium, GKE Dataplane V2, Canal or Antrea."""
    if cluster.has_kind("crd.projectcalico.org/v1", "ClusterInformation"):
        return True
    try:
        agents = {item["metadata"]["name"] for item in cluster.objects("apps/v1", "DaemonSet", "kube-system")}
    except ClusterError:
        return False
    return bool(agents & {"calico-node", "cilium", "anetd", "canal", "antrea-agent"})
