"""Capabilities: what a target can do and a control may need. All names, and the detectors that look at the cluster.

The detectors that look at the machine and the settings are in `runner.target.capabilities`. Together they form one
table, from which docs/capabilities.md, the output of `meshproof doctor` and the reasons of skips are generated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from clients.mesh import meshconfig
from clients.mesh.flavour import Flavour
from clients.mesh.survey import Survey

Seen = TypeVar("Seen")


class CapabilityName(StrEnum):
    """Names of all capabilities, as catalogues and suites use them."""

    ACCESS_LOG = "access-log"
    ANALYZE = "analyze"
    BROWSER = "browser"
    CHROMIUM = "chromium"
    CLIENT_ADDRESS = "client-address"
    DYNAMIC_DNS = "dynamic-dns"
    EGRESS_GATEWAY = "egress-gateway"
    EXT_AUTHZ = "ext-authz"
    EXTERNAL_BLOCK = "external-block"
    EXTERNAL_HOSTS = "external-hosts"
    EXTERNAL_LOG = "external-log"
    EXTERNAL_OPEN = "external-open"
    FRONT_KEY = "front-key"
    GATEWAY_API = "gateway-api"
    GKE_ONLY = "gke-only"
    IAP = "iap"
    IAP_KEY = "iap-key"
    INGRESS_GATEWAY = "ingress-gateway"
    ISTIO_CNI = "istio-cni"
    ISTIOD = "istiod"
    ISTIOD_RESTART = "istiod-restart"
    JWT = "jwt"
    KEY_REFRESH = "key-refresh"
    LOAD_BALANCER = "load-balancer"
    LOAD_COUNT = "load-count"
    MESH_WIDE = "mesh-wide"
    METRICS = "metrics"
    NETWORK_POLICY = "network-policy"
    NODE_POOL = "node-pool"
    PLAINTEXT_CLIENT = "plaintext-client"
    PROXY_CONFIG = "proxy-config"
    PROXY_SHELL = "proxy-shell"
    PSP = "psp"
    SIDECAR_INJECTION = "sidecar-injection"
    STAND_INS = "stand-ins"
    TLS_LISTENER = "tls-listener"
    WORKLOAD_IDENTITY = "workload-identity"


@dataclass(frozen=True)
class Capability(Generic[Seen]):
    """One capability.

    Attributes:
        why_not: the detector; returns why the capability is missing, in a few words, or an empty text where it is not.
        description: what a control that names it needs; the catalogue's own words where the catalogue has it.
        hint: how to get it; empty where nothing can be done.
    """

    name: CapabilityName
    why_not: Callable[[Seen], str]
    description: str
    hint: str = ""


def always(_: object) -> str:
    """The detector of a capability that every target has."""
    return ""


NO_MESH = "no injection webhook of a mesh was found"
_REFRESH = "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL"
_REFRESH_LIMIT_S = 5.0
"""Longest interval, in seconds, that fits into a case's budget together with the spread of the change."""
_CLOUDS = ("gce://", "aws://", "azure://")
_SECURITY = "security.istio.io/v1"
_NETWORKING = "networking.istio.io/v1"
_ENFORCERS = frozenset({"calico-node", "cilium", "anetd", "canal", "antrea-agent"})
"""Agents of Calico, Cilium, GKE Dataplane V2, Canal, Antrea."""


def _injects(seen: Survey) -> str:
    return "" if seen.injects else NO_MESH


def _istiod(seen: Survey) -> str:
    where = f"in {seen.control_namespace}" if not seen.injects else f"in {seen.control_namespace} ({seen.flavour})"
    return "" if seen.istiods else f"no Deployment of the control plane is seen {where}"


def _proxy_shell(seen: Survey) -> str:
    if seen.flavour is Flavour.CSM_TRAFFIC_DIRECTOR or "distroless" in (seen.proxy.image if seen.proxy else ""):
        return "the proxies' image has no shell (distroless)"
    return _injects(seen)


def _psp(seen: Survey) -> str:
    """Pod Security Admission is in every Kubernetes since 1.25; the mesh's own namespace must be free of its limits."""
    level = seen.pod_security
    if level not in ("baseline", "restricted"):
        return ""
    return f"namespace {seen.root} enforces the level {level} of pod security, also on the mesh's own pods"


def _gateway(seen: Survey) -> str:
    return _injects(seen) or _kind(_NETWORKING, "Gateway")(seen)


def _kind(api_version: str, kind: str) -> Callable[[Survey], str]:
    """A detector of what needs this kind of object."""

    def why_not(seen: Survey) -> str:
        return "" if seen.cluster.has_kind(api_version, kind) else f"the cluster knows no {kind} of {api_version}"

    return why_not


def _access_log(seen: Survey) -> str:
    if seen.logs_plainly or seen.log_provider:
        return ""
    if meshconfig.logs_access(seen.configurations):
        return "the mesh's access log has a format of its own (accessLogFormat), which is not known"
    return "the mesh writes no access log to /dev/stdout, and this identity may create no Telemetry"


def _dynamic_dns(seen: Survey) -> str:
    """By the version: the definition of ServiceEntry may be newer than istiod."""
    found = re.match(r"(\d+)\.(\d+)", seen.version)
    if found is None:
        return "the version of the mesh is not known"
    return "" if (int(found[1]), int(found[2])) >= (1, 30) else f"the mesh is {seen.version}"


def _load_balancer(seen: Survey) -> str:
    """Whether Services get addresses: the nodes are those of a cloud, or a Service has one."""
    if seen.nodes is None:
        return "this identity may not list nodes"
    if any(node.get("spec", {}).get("providerID", "").startswith(_CLOUDS) for node in seen.nodes):
        return ""
    if seen.services is None:
        return "this identity may not list services of all namespaces"
    given = any(one.get("status", {}).get("loadBalancer", {}).get("ingress") for one in seen.services)
    return "" if given else "no Service has an external address, and the nodes are of no known cloud"


def _node_pool(seen: Survey) -> str:
    if seen.nodes is None:
        return "this identity may not list nodes"
    if not seen.gateway_nodes:
        return "no node has the label cloud.google.com/gke-nodepool=gateway"
    dedicated = any(map(_dedicated, seen.gateway_nodes))
    return "" if dedicated else "no node of that pool has the taint dedicated=gateway:NoSchedule"


def _dedicated(node: dict[str, Any]) -> bool:
    taints = node.get("spec", {}).get("taints", ())
    return any((t.get("key"), t.get("value"), t["effect"]) == ("dedicated", "gateway", "NoSchedule") for t in taints)


def _network_policy(seen: Survey) -> str:
    """Judged by what is installed: Calico's datastore, or the agent of a plug-in that enforces them."""
    if seen.cluster.has_kind("crd.projectcalico.org/v1", "ClusterInformation"):
        return ""
    if seen.system_agents is None:
        return "this identity may not list daemonsets in kube-system"
    return "" if seen.system_agents & _ENFORCERS else "no known agent that enforces network policies is in kube-system"


def _key_refresh(seen: Survey) -> str:
    soon = any(map(_refreshes_keys, seen.istiods))
    return "" if soon else f"no istiod has {_REFRESH} of at most {_REFRESH_LIMIT_S:g} s"


def _refreshes_keys(istiod: dict[str, Any]) -> bool:
    """Whether istiod fetches keys often enough for a case's budget. Go writes durations as `1s`, `500ms`, `20m0s`."""
    variables = [one for c in istiod["spec"]["template"]["spec"]["containers"] for one in c.get("env", ())]
    interval = next((str(one.get("value", "")) for one in variables if one["name"] == _REFRESH), "")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", interval)
    return found is not None and float(found[1]) / (1000 if found[2] == "ms" else 1) <= _REFRESH_LIMIT_S


def _mesh_wide(seen: Survey) -> str:
    return _kind(_SECURITY, "PeerAuthentication")(seen) or seen.prior.mesh_wide


N = CapabilityName
OF_MESH: tuple[Capability[Survey], ...] = (
    Capability(
        N.MESH_WIDE,
        _mesh_wide,
        "changes configuration of the root namespace or of the cluster; must not run beside other cases",
        "outside the embedded target such controls run only with --allow-mesh-wide",
    ),
    Capability(
        N.SIDECAR_INJECTION,
        _injects,
        "needs automatic injection in named namespaces",
        "install Istio with its injection webhook",
    ),
    Capability(
        N.ISTIOD,
        _istiod,
        "needs a control plane whose Deployment and Service are in the cluster",
        "let the identity list deployments in its namespace; a managed control plane has none",
    ),
    Capability(
        N.PSP,
        _psp,
        "needs pod security enforcement (PodSecurityPolicy or Pod Security Admission)",
        "nothing has to be done: the rule is stricter than the one that would be proven",
    ),
    Capability(
        N.PROXY_SHELL,
        _proxy_shell,
        "needs sidecars in whose container a shell and curl can be run",
        "use the proxy image that is not distroless, for the time of the run",
    ),
    Capability(N.PLAINTEXT_CLIENT, always, "needs a client outside the mesh or one that bypasses its proxy"),
    Capability(N.INGRESS_GATEWAY, _gateway, "needs an ingress gateway", "install Istio with its injection webhook"),
    Capability(
        N.LOAD_BALANCER,
        _load_balancer,
        "needs an external address for a LoadBalancer service, or a stand-in",
        "install something that gives Services of type LoadBalancer an address (MetalLB, a cloud's controller)",
    ),
    Capability(
        N.TLS_LISTENER,
        _gateway,
        "needs an HTTPS listener with a certificate at the ingress gateway",
        "install Istio with its injection webhook",
    ),
    Capability(
        N.JWT,
        _kind(_SECURITY, "RequestAuthentication"),
        "needs a JWKS and a token issuer under the harness's control",
        "install Istio 1.22 or newer, with its definitions",
    ),
    Capability(
        N.NETWORK_POLICY,
        _network_policy,
        "needs a network plug-in that enforces NetworkPolicy",
        "install Calico, Cilium or Antrea, and let the identity list daemonsets in kube-system",
    ),
    Capability(
        N.NODE_POOL,
        _node_pool,
        "needs at least two nodes, one labelled and tainted as gateway node, with node-level egress control",
        "label a node cloud.google.com/gke-nodepool=gateway and taint it dedicated=gateway:NoSchedule",
    ),
    Capability(
        N.ACCESS_LOG,
        _access_log,
        "needs Envoy access logs on standard output",
        "let the identity create telemetries, or set meshConfig.accessLogFile to /dev/stdout",
    ),
    Capability(
        N.PROXY_CONFIG,
        _injects,
        "needs istioctl proxy-config or an Envoy config dump",
        "install Istio with its injection webhook",
    ),
    Capability(
        N.METRICS,
        _injects,
        "needs Istio standard metrics or Envoy stats of a proxy",
        "install Istio with its injection webhook",
    ),
    Capability(N.BROWSER, always, "described with a browser; curl is enough unless live_only"),
    Capability(
        N.EXT_AUTHZ,
        lambda seen: "" if seen.ext_authz else f"no extension provider of the mesh names {meshconfig.EXT_AUTHZ_HOST}",
        "needs a provider for ext-authz.meshproof.test in the mesh's configuration (docs/front-door.md)",
        "add the provider to meshConfig.extensionProviders",
    ),
    Capability(
        N.GATEWAY_API,
        lambda seen: "" if seen.gateway_class else "no HTTPRoute, or no GatewayClass of istio.io/gateway-controller",
        "needs the definitions of Kubernetes' Gateway API and a GatewayClass of the mesh",
        "install the definitions of Gateway API (standard channel); Istio creates its class",
    ),
    Capability(
        N.ISTIO_CNI,
        lambda seen: "" if seen.unprivileged else "the injection webhook's values do not set pilot.cni.enabled",
        "needs Istio's CNI plug-in, so that injected pods do not need NET_ADMIN",
        "install Istio with its CNI plug-in",
    ),
    Capability(
        N.DYNAMIC_DNS,
        _dynamic_dns,
        "needs a mesh whose sidecars resolve the names of a wildcard themselves (DYNAMIC_DNS)",
        "install Istio 1.30 or newer",
    ),
    Capability(
        N.KEY_REFRESH,
        _key_refresh,
        "needs an istiod that fetches the keys of issuers every few seconds (PILOT_JWT_PUB_KEY_REFRESH_INTERVAL); the "
        "default is every 20 minutes",
        f"set {_REFRESH} of istiod to 1s",
    ),
)
