"""What the API server shows of a mesh; each part is read once. Reads only."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

from clients.kube.cluster import Cluster
from clients.mesh import meshconfig
from clients.model.errors import ClusterError

ROOT_NAMESPACE = "istio-system"
REVISION_LABEL = "istio.io/rev"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
_ADMISSION = "admissionregistration.k8s.io/v1"
CNI_TEMPLATE = "cni"
"""Injection template of the testbed whose pods do not need NET_ADMIN."""
_GATEWAY_API = "gateway.networking.k8s.io/v1"
_GATEWAY_CONTROLLER = "istio.io/gateway-controller"
"""Controller of the classes of which istiod deploys gateways (Istio, Kubernetes Gateway API)."""


class Survey:
    """The parts of a cluster that the detectors of `clients.mesh.capabilities` and `clients.mesh.discovery` look at.

    A part that a run does not depend on is None where this identity may not read it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    @cached_property
    def istiods(self) -> list[dict[str, Any]]:
        """Deployments of istiod. AccessError where the root namespace may not be read."""
        return self.cluster.objects("apps/v1", "Deployment", ROOT_NAMESPACE, labels="app=istiod")

    @cached_property
    def webhooks(self) -> list[dict[str, Any]]:
        """The injection webhooks. AccessError where they may not be read."""
        return self.cluster.objects(_ADMISSION, "MutatingWebhookConfiguration", labels="app=sidecar-injector")

    @property
    def injects(self) -> bool:
        """Whether there is an istiod and a webhook that calls it."""
        return bool(self.istiods and self.webhooks)

    @cached_property
    def revisions(self) -> tuple[str, ...]:
        """Values of `istio.io/rev` that the webhooks react to, sorted."""
        labels = [hook["metadata"].get("labels", {}) for hook in self.webhooks]
        return tuple(sorted({revision for found in labels if (revision := found.get(REVISION_LABEL))}))

    @property
    def version(self) -> str:
        """From the image tag (`1.29.1-distroless`, `1.15.7-asm.23`): some builds are labelled with the chart's."""
        for deployment in self.istiods:
            labels = deployment["spec"]["template"]["metadata"].get("labels", {})
            image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].split("@", 1)[0]
            tag = image.rsplit(":", 1)[1] if ":" in image.rsplit("/", 1)[-1] else ""
            for stated in (tag, str(labels.get("app.kubernetes.io/version") or "")):
                if version := re.match(r"\d+\.\d+(\.\d+)?(-(asm|alpha|beta|rc|dev)[\w.]*)?", stated):
                    return version.group()
        return ""

    @cached_property
    def configurations(self) -> list[dict[str, Any]]:
        """The configurations of the mesh, one for each revision."""
        return meshconfig.read(self.cluster, ROOT_NAMESPACE)

    @cached_property
    def ext_authz(self) -> str:
        """Name of the provider of external authorization whose server the suites deploy; empty for none."""
        return meshconfig.ext_authz_provider(self.configurations)

    @cached_property
    def nodes(self) -> list[dict[str, Any]] | None:
        """The nodes; None where this identity may not list them."""
        return self._optional("v1", "Node")

    @property
    def gateway_nodes(self) -> list[dict[str, Any]]:
        """The nodes of the pool `gateway`."""
        nodes = self.nodes or ()
        return [node for node in nodes if node["metadata"].get("labels", {}).get(NODE_POOL_LABEL) == "gateway"]

    @cached_property
    def services(self) -> list[dict[str, Any]] | None:
        """Services of all namespaces; None where this identity may not list them."""
        return self._optional("v1", "Service")

    @cached_property
    def system_agents(self) -> frozenset[str] | None:
        """Names of the DaemonSets of `kube-system`; None where this identity may not list them."""
        found = self._optional("apps/v1", "DaemonSet", "kube-system")
        return None if found is None else frozenset(one["metadata"]["name"] for one in found)

    @cached_property
    def unprivileged(self) -> str:
        """Injection template whose pods do not need NET_ADMIN: the testbed's, or Istio's own; empty for none."""
        maps = self.cluster.objects("v1", "ConfigMap", ROOT_NAMESPACE)
        injectors = [m.get("data", {}) for m in maps if m["metadata"]["name"].startswith("istio-sidecar-injector")]
        if any(f"\n  {CNI_TEMPLATE}: |" in data.get("config", "") for data in injectors):
            return CNI_TEMPLATE
        values = [json.loads(data.get("values") or "{}") for data in injectors]
        return "sidecar" if values and all(_cni_enabled(one) for one in values) else ""

    @cached_property
    def gateway_class(self) -> str:
        """Class of the Kubernetes Gateway API whose gateways the mesh deploys, `istio` first; empty for none."""
        if not self.cluster.has_kind(_GATEWAY_API, "HTTPRoute"):
            return ""
        classes = self._optional(_GATEWAY_API, "GatewayClass") or ()
        ours = {one["metadata"]["name"] for one in classes if one["spec"].get("controllerName") == _GATEWAY_CONTROLLER}
        return min(ours, key=lambda name: (name != "istio", name), default="")

    def _optional(self, api_version: str, kind: str, namespace: str = "") -> list[dict[str, Any]] | None:
        try:
            return self.cluster.objects(api_version, kind, namespace)
        except ClusterError:
            return None


def _cni_enabled(values: dict[str, Any]) -> bool:
    """Istio's value `pilot.cni.enabled`; up to 1.23 `istio_cni.enabled`."""
    return bool(values.get("pilot", {}).get("cni", {}).get("enabled") or values.get("istio_cni", {}).get("enabled"))
