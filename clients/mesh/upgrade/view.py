"""What the detectors of an upgrade look at: the objects of a cluster, and how its mesh is set. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import annotations_of, labels_of
from clients.mesh.survey.elsewhere import may_read_configuration, runs_elsewhere
from clients.mesh.survey.recorded import variables
from clients.mesh.survey.survey import ROOT_NAMESPACE, Survey
from clients.mesh.upgrade.unchecked import Unchecked, out_of_sight
from clients.model.api_groups import (
    ENVOY_FILTER_VERSION,
    GATEWAY_API,
    INFERENCE,
    ISTIO_NETWORKING,
    NETWORKING_V1,
    SECURITY_V1,
    TELEMETRY_V1,
    WASM_PLUGIN_VERSION,
)
from clients.model.errors import ClusterError

Json = Mapping[str, Any]

_WEBHOOKS = "admissionregistration.k8s.io/v1"
VARIABLES = "the variables of istiod"
KUBERNETES_GATEWAY = "Gateway of Kubernetes"
"""Key of the Gateways of Kubernetes' Gateway API; `Gateway` are those of Istio."""
KINDS: Mapping[str, tuple[str, str]] = {
    **{name: (SECURITY_V1, name) for name in ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication")},
    **{
        name: (NETWORKING_V1, name)
        for name in ("DestinationRule", "VirtualService", "Gateway", "ServiceEntry", "Sidecar", "WorkloadEntry")
    },
    "ProxyConfig": (f"{ISTIO_NETWORKING}/v1beta1", "ProxyConfig"),
    "EnvoyFilter": (ENVOY_FILTER_VERSION, "EnvoyFilter"),
    "Telemetry": (TELEMETRY_V1, "Telemetry"),
    "WasmPlugin": (WASM_PLUGIN_VERSION, "WasmPlugin"),
    KUBERNETES_GATEWAY: (f"{GATEWAY_API}/v1", "Gateway"),
    "BackendTLSPolicy": (f"{GATEWAY_API}/v1alpha3", "BackendTLSPolicy"),
    "InferencePool": (f"{INFERENCE}/v1alpha2", "InferencePool"),
    "Namespace": ("v1", "Namespace"),
    "Service": ("v1", "Service"),
    "Pod": ("v1", "Pod"),
    "MutatingWebhookConfiguration": (_WEBHOOKS, "MutatingWebhookConfiguration"),
}
"""Key → version and kind. The versions of the two that are not `v1` anywhere are those that Istio stopped to read."""
_LATER = {"BackendTLSPolicy": f"{GATEWAY_API}/v1"}
"""Version of a kind where the cluster does not serve that of `KINDS` any more."""
CONFIGURATION = ("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication", "DestinationRule",
                 "VirtualService", "Gateway", "ServiceEntry", "Sidecar", "WorkloadEntry", "ProxyConfig", "EnvoyFilter",
                 "Telemetry", "WasmPlugin", KUBERNETES_GATEWAY)  # fmt: skip
"""Keys of what a control plane reads."""


@dataclass(frozen=True)
class MeshView:
    """A mesh before its upgrade.

    Attributes:
        objects: key of `KINDS` → objects, each with its kind.
        configurations: MeshConfig of the revision, in parts.
        variables: of its istiod; empty where that is not seen.
        root: the root namespace.
        unread: what could not be read.
    """

    objects: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    configurations: tuple[Json, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    kubernetes: str = ""
    root: str = ROOT_NAMESPACE
    unread: tuple[Unchecked, ...] = ()

    def of(self, *keys: str) -> list[Json]:
        """The objects of these kinds."""
        return [body for key in keys for body in self.objects.get(key, ())]

    @property
    def ambient(self) -> list[Json]:
        """Namespaces and pods that are in the mesh without a sidecar."""
        return [
            body for body in self.of("Namespace", "Pod") if labels_of(body).get("istio.io/dataplane-mode") == "ambient"
        ]

    @property
    def sidecars(self) -> list[Json]:
        """Pods with a proxy that was injected."""
        return [body for body in self.of("Pod") if "sidecar.istio.io/status" in annotations_of(body)]


def read(cluster: Cluster, survey: Survey) -> MeshView:
    """The view of a cluster, for the revision of a survey."""
    objects: dict[str, tuple[Json, ...]] = {}
    unread: list[Unchecked] = []
    for key, (api_version, kind) in KINDS.items():
        try:
            served = [one for one in (api_version, _LATER.get(key, "")) if one and cluster.has_kind(one, kind)]
            if not served:
                continue
            listed = cluster.objects(served[0], kind)
        except ClusterError as error:
            unread.append(Unchecked(f"{key}: {error.message}"))
            continue
        objects[key] = tuple({"kind": kind, **body} for body in listed)
    found: dict[str, str] = {}
    for istiod in survey.istiods:
        found |= variables(istiod)
    if not survey.istiods:
        seen = Unchecked("istiod: its Deployment is not seen, so that its variables are not known")
        unread.append(out_of_sight(VARIABLES) if runs_elsewhere(survey) else seen)
    if not survey.configurations:
        seen = Unchecked("MeshConfig: no ConfigMap of the revision can be read")
        elsewhere = runs_elsewhere(survey) and may_read_configuration(survey)
        unread.append(out_of_sight("MeshConfig") if elsewhere else seen)
    return MeshView(objects, tuple(survey.configurations), found, cluster.server_version, survey.root, tuple(unread))
