"""Capabilities: what a target can do and a control may need. All names, and the detectors that look at the cluster.

The detectors that look at the machine and the settings are in `runner.target.capabilities`. Together they form one
table, from which docs/capabilities.md, the output of `meshproof doctor` and the reasons of skips are generated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from clients.mesh.capabilities.detectors import (
    access_log,
    auto_mtls,
    dns_not_proxied,
    dynamic_dns,
    gateway,
    gateway_api,
    injects,
    istiod,
    kind_known,
    load_balancer,
    mesh_wide,
    network_policy,
    no_trusted_proxies,
    node_pool,
    own_iap_tokens,
    own_tokens,
    plain_connections,
    proxy_shell,
    psp,
    slashes_kept,
)
from clients.mesh.capabilities.names import CapabilityName as CapabilityName
from clients.mesh.survey import keys, meshconfig
from clients.mesh.survey.survey import Survey
from clients.model.api_groups import SECURITY_V1

Seen = TypeVar("Seen")


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


N = CapabilityName
_JUDGED_HINT = (
    "confine the RequestAuthentication of the root namespace to the workloads that it is for, by a selector of labels "
    "that a run's workloads do not have, or by one in each of their namespaces"
)
_PLAIN_HINT = "state proxyProtocol at your gateways alone, by their annotation proxy.istio.io/config"
_GATEWAY_HINT = f"install Istio with its injection webhook; {_PLAIN_HINT}"
OF_MESH: tuple[Capability[Survey], ...] = (
    Capability(
        N.MESH_WIDE,
        mesh_wide,
        "changes configuration of the root namespace or of the cluster; must not run beside other cases",
        "use the embedded target; elsewhere it takes --allow-mesh-wide, and a mesh without a root PeerAuthentication",
    ),
    Capability(
        N.SIDECAR_INJECTION,
        injects,
        "needs automatic injection in named namespaces",
        "install Istio with its injection webhook",
    ),
    Capability(
        N.ISTIOD,
        istiod,
        "needs a control plane whose Deployment and Service are in the cluster",
        "let the identity list deployments in its namespace; a managed control plane has none",
    ),
    Capability(
        N.PSP,
        psp,
        "needs pod security enforcement (PodSecurityPolicy or Pod Security Admission)",
        "nothing has to be done: the rule is stricter than the one that would be proven",
    ),
    Capability(
        N.PROXY_SHELL,
        proxy_shell,
        "needs sidecars in whose container a shell and curl can be run",
        "use the proxy image that is not distroless, for the time of the run",
    ),
    Capability(N.PLAINTEXT_CLIENT, always, "needs a client outside the mesh or one that bypasses its proxy"),
    Capability(N.INGRESS_GATEWAY, gateway, "needs an ingress gateway", _GATEWAY_HINT),
    Capability(N.EGRESS_GATEWAY, plain_connections, "needs the dedicated egress gateway in istio-egress", _PLAIN_HINT),
    Capability(
        N.NO_TRUSTED_PROXIES,
        no_trusted_proxies,
        "needs gateways that believe no proxy in front of them, as Istio's do by default",
        "state numTrustedProxies at your gateways alone, by their annotation proxy.istio.io/config",
    ),
    Capability(
        N.LOAD_BALANCER,
        load_balancer,
        "needs an external address for a LoadBalancer service, or a stand-in",
        "install something that gives Services of type LoadBalancer an address (MetalLB, a cloud's controller), and "
        "leave ingress.way at auto or address",
    ),
    Capability(
        N.TLS_LISTENER,
        gateway,
        "needs an HTTPS listener with a certificate at the ingress gateway",
        _GATEWAY_HINT,
    ),
    Capability(
        N.JWT,
        kind_known(SECURITY_V1, "RequestAuthentication"),
        "needs a JWKS and a token issuer under the harness's control",
        "install Istio 1.22 or newer, with its definitions",
    ),
    Capability(
        N.OWN_TOKENS,
        own_tokens,
        "needs a mesh in which only a run's own RequestAuthentications judge the tokens of its namespaces",
        _JUDGED_HINT,
    ),
    Capability(
        N.OWN_IAP_TOKENS,
        own_iap_tokens,
        "needs a mesh in which only a run's own RequestAuthentications judge the token that IAP adds",
        _JUDGED_HINT,
    ),
    Capability(
        N.AUTO_MTLS,
        auto_mtls,
        "needs a mesh whose sidecars use mutual TLS with one another by themselves, as Istio's do by default",
        "leave enableAutoMtls out of meshConfig: it is true by default",
    ),
    Capability(
        N.DNS_NOT_PROXIED,
        dns_not_proxied,
        "needs a mesh whose sidecars leave names to the cluster's DNS, as Istio's do by default",
        "nothing has to be done: where sidecars resolve registered names themselves, other rules hold for these",
    ),
    Capability(
        N.SLASHES_KEPT,
        slashes_kept,
        "needs a mesh whose proxies neither merge nor decode the slashes of a path, as Istio's do by default",
        "nothing has to be done: a mesh that does is stricter, as no other spelling of a path is another path there",
    ),
    Capability(
        N.NETWORK_POLICY,
        network_policy,
        "needs a network plug-in that enforces NetworkPolicy",
        "install Calico, Cilium or Antrea, and let the identity list daemonsets in kube-system",
    ),
    Capability(
        N.NODE_POOL,
        node_pool,
        "needs at least two nodes, one labelled and tainted as gateway node, with node-level egress control",
        "label a node cloud.google.com/gke-nodepool=gateway and taint it dedicated=gateway:NoSchedule",
    ),
    Capability(
        N.ACCESS_LOG,
        access_log,
        "needs Envoy access logs on standard output",
        "let the identity create telemetries, or set meshConfig.accessLogFile to /dev/stdout",
    ),
    Capability(
        N.PROXY_CONFIG,
        injects,
        "needs istioctl proxy-config or an Envoy config dump",
        "install Istio with its injection webhook",
    ),
    Capability(
        N.METRICS,
        injects,
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
        gateway_api,
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
        dynamic_dns,
        "needs a mesh whose sidecars resolve the names of a wildcard themselves (DYNAMIC_DNS)",
        "install Istio 1.30 or newer",
    ),
    Capability(
        N.KEY_FETCH,
        keys.not_fetched,
        "needs an istiod that fetches issuers' keys from Services of the cluster",
        keys.FETCH_HINT,
    ),
    Capability(
        N.KEY_REFRESH,
        keys.not_refreshed,
        "needs an istiod that fetches the keys of issuers every few seconds (PILOT_JWT_PUB_KEY_REFRESH_INTERVAL); the "
        "default is every 20 minutes",
        keys.REFRESH_HINT,
    ),
)
