"""Detectors of capabilities: each returns why the mesh of a cluster lacks one, in a few words, or an empty text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from clients.mesh.survey import meshconfig
from clients.mesh.survey.flavour import Flavour
from clients.mesh.survey.survey import Survey
from clients.model.api_groups import NETWORKING_V1, SECURITY_V1

NO_MESH = "no injection webhook of a mesh was found"
_CLOUDS = ("gce://", "aws://", "azure://")
_ENFORCERS = frozenset({"calico-node", "cilium", "anetd", "canal", "antrea-agent"})
"""Agents of Calico, Cilium, GKE Dataplane V2, Canal, Antrea."""


def injects(seen: Survey) -> str:
    """Sidecars are injected into pods."""
    return "" if seen.injects else NO_MESH


def istiod(seen: Survey) -> str:
    """The control plane's Deployment is in the cluster."""
    where = f"in {seen.control_namespace}" if not seen.injects else f"in {seen.control_namespace} ({seen.flavour})"
    return "" if seen.istiods else f"no Deployment of the control plane is seen {where}"


def proxy_shell(seen: Survey) -> str:
    """A shell and curl can be run in a sidecar's container."""
    if seen.flavour is Flavour.CSM_TRAFFIC_DIRECTOR or "distroless" in (seen.proxy.image if seen.proxy else ""):
        return "the proxies' image has no shell (distroless)"
    return injects(seen)


def psp(seen: Survey) -> str:
    """Pod Security Admission is in every Kubernetes since 1.25; the mesh's own namespace must be free of its limits.

    That is shown by pods there, by dry run, so the identity must be one that may create them.
    """
    level = seen.pod_security
    if level in ("baseline", "restricted"):
        return f"namespace {seen.root} enforces the level {level} of pod security, also on the mesh's own pods"
    may = seen.cluster.can_i("patch", "pods", seen.root)
    return "" if may else f"this identity may not create pods in {seen.root}, not even by dry run"


def gateway(seen: Survey) -> str:
    """Gateways can be deployed by injection, the mesh knows their kind, and they take connections as they come."""
    return injects(seen) or kind_known(NETWORKING_V1, "Gateway")(seen) or plain_connections(seen)


def plain_connections(seen: Survey) -> str:
    """Gateways do not wait for the PROXY protocol, which a load balancer of the user's begins connections with."""
    stated = any("proxyProtocol" in one for one in _topologies(seen))
    return "gateways of the mesh take only the PROXY protocol (gatewayTopology.proxyProtocol)" if stated else ""


def no_trusted_proxies(seen: Survey) -> str:
    """Gateways believe no client about its address."""
    numbers = [one.get("numTrustedProxies") or 0 for one in _topologies(seen)]
    found = next((number for number in numbers if str(number) != "0"), 0)
    return f"gateways of the mesh believe {found} proxies (gatewayTopology.numTrustedProxies)" if found else ""


def _topologies(seen: Survey) -> list[Mapping[str, Any]]:
    """By the mesh's configuration, and by a pod that is injected: gateways of a run inherit it."""
    stated = [one.get("defaultConfig") or {} for one in seen.configurations]
    return [meshconfig.topology(one) for one in (*stated, seen.proxy.config if seen.proxy else {})]


def gateway_api(seen: Survey) -> str:
    """The mesh deploys gateways of Kubernetes' own API, which take connections as they come."""
    if not seen.gateway_class:
        return "no HTTPRoute, or no GatewayClass of istio.io/gateway-controller"
    return plain_connections(seen)


def kind_known(api_version: str, kind: str) -> Callable[[Survey], str]:
    """A detector of what needs this kind of object."""

    def why_not(seen: Survey) -> str:
        return "" if seen.cluster.has_kind(api_version, kind) else f"the cluster knows no {kind} of {api_version}"

    return why_not


def access_log(seen: Survey) -> str:
    """Proxies write access logs that can be read, or can be made to by a Telemetry."""
    if seen.logs_plainly or seen.log_provider:
        return ""
    if meshconfig.logs_access(seen.configurations):
        return "the mesh's access log has a format of its own (accessLogFormat), which is not known"
    return "the mesh writes no access log to /dev/stdout, and this identity may create no Telemetry"


def dynamic_dns(seen: Survey) -> str:
    """By the version: the definition of ServiceEntry may be newer than istiod."""
    found = re.match(r"(\d+)\.(\d+)", seen.version)
    if found is None:
        return "the version of the mesh is not known"
    return "" if (int(found[1]), int(found[2])) >= (1, 30) else f"the mesh is {seen.version}"


def load_balancer(seen: Survey) -> str:
    """Whether Services get addresses: the nodes are those of a cloud, or a Service has one."""
    if seen.nodes is None:
        return "this identity may not list nodes"
    if any(node.get("spec", {}).get("providerID", "").startswith(_CLOUDS) for node in seen.nodes):
        return ""
    if seen.services is None:
        return "this identity may not list services of all namespaces"
    given = any(one.get("status", {}).get("loadBalancer", {}).get("ingress") for one in seen.services)
    return "" if given else "no Service has an external address, and the nodes are of no known cloud"


def node_pool(seen: Survey) -> str:
    """Some nodes are only for gateways."""
    if seen.nodes is None:
        return "this identity may not list nodes"
    if not seen.gateway_nodes:
        return "no node has the label cloud.google.com/gke-nodepool=gateway"
    dedicated = any(map(_dedicated, seen.gateway_nodes))
    return "" if dedicated else "no node of that pool has the taint dedicated=gateway:NoSchedule"


def _dedicated(node: dict[str, Any]) -> bool:
    taints = node.get("spec", {}).get("taints", ())
    return any((t.get("key"), t.get("value"), t["effect"]) == ("dedicated", "gateway", "NoSchedule") for t in taints)


def slashes_kept(seen: Survey) -> str:
    """The mesh's normalization of paths stops at RFC 3986 (Istio's reference of MeshConfig, `pathNormalization`)."""
    return meshconfig.merges_slashes(seen.configurations)


def auto_mtls(seen: Survey) -> str:
    """Sidecars use mutual TLS by themselves, with servers that have a sidecar."""
    off = any(map(meshconfig.auto_mtls_is_off, seen.configurations))
    return "MeshConfig has enableAutoMtls false" if off else ""


def dns_not_proxied(seen: Survey) -> str:
    """By the mesh's configuration, and by a pod that is injected: a ProxyConfig or a template may state it too."""
    if any(map(meshconfig.captures_dns, seen.configurations)):
        return f"MeshConfig has {meshconfig.DNS_CAPTURE} in defaultConfig.proxyMetadata"
    return f"injected proxies have {meshconfig.DNS_CAPTURE}" if seen.proxy and seen.proxy.resolves else ""


def network_policy(seen: Survey) -> str:
    """Judged by what is installed: Calico's datastore, or the agent of a plug-in that enforces them."""
    if seen.cluster.has_kind("crd.projectcalico.org/v1", "ClusterInformation"):
        return ""
    if seen.system_agents is None:
        return "this identity may not list daemonsets in kube-system"
    return "" if seen.system_agents & _ENFORCERS else "no known agent that enforces network policies is in kube-system"


def mesh_wide(seen: Survey) -> str:
    """The run may change the whole mesh, by a kind that the cluster knows."""
    return kind_known(SECURITY_V1, "PeerAuthentication")(seen) or seen.prior.mesh_wide


def own_tokens(seen: Survey) -> str:
    """No RequestAuthentication of others judges the tokens that a run sends."""
    return seen.prior.tokens


def own_iap_tokens(seen: Survey) -> str:
    """The same of the token that IAP adds."""
    return seen.prior.iap_tokens
