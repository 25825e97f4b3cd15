"""What the API server shows of a mesh; each part is read once. Reads only."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import labels_of, spec_of
from clients.mesh.survey import injection, meshconfig, prior, root_namespace
from clients.mesh.survey.flavour import Flavour, flavour
from clients.mesh.survey.injected import InjectedProxy, injected_proxy, version_of
from clients.mesh.survey.injection import Injector, Revision
from clients.mesh.survey.injection_values import unprivileged_template
from clients.mesh.survey.prior import Prior
from clients.model.api_groups import GATEWAY_API, ISTIO_TELEMETRY, TELEMETRY_V1
from clients.model.errors import ClusterError

ROOT_NAMESPACE = "istio-system"
"""That of most meshes, and the one that the manifests name."""
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
_ADMISSION = "admissionregistration.k8s.io/v1"
_GOOGLE_REVISIONS = "mesh.cloud.google.com/v1beta1"
_GATEWAY_API_V1 = f"{GATEWAY_API}/v1"
_GATEWAY_CONTROLLER = "istio.io/gateway-controller"
"""Controller of the classes of which istiod deploys gateways (Istio, Kubernetes Gateway API)."""


class Survey:
    """The parts of a cluster that `clients.mesh.discovery` and the detectors of `clients.mesh.capabilities` look at.

    A part that a run does not depend on is None where this identity may not read it.
    """

    def __init__(self, cluster: Cluster, revision: str = "", root: str = "") -> None:
        """Look at nothing yet.

        Args:
            revision: name of the revision or tag that the run is to use; empty for the default one, or the only one.
            root: the root namespace, where the user states it.
        """
        self.cluster = cluster
        self._wanted = revision
        self._stated_root = root

    @cached_property
    def injectors(self) -> tuple[Injector, ...]:
        """What injects. AccessError where webhooks may not be read."""
        return injection.injectors(self.cluster.objects(_ADMISSION, "MutatingWebhookConfiguration"))

    @property
    def injects(self) -> bool:
        """Whether something does."""
        return bool(self.injectors)

    @cached_property
    def revision(self) -> Revision:
        """The control plane that the run uses. SettingsError where it is not there, or not clear."""
        return injection.choose(self._wanted, self.injectors)

    @property
    def injector(self) -> Injector | None:
        """The injector of that revision; None where nothing injects."""
        return injection.injector_of(self.revision, self.injectors)

    @cached_property
    def istiods(self) -> list[dict[str, Any]]:
        """Deployments of istiod of the chosen revision; none where it runs elsewhere, or may not be seen.

        They are those behind the Service that injects: labels and names of Deployments differ between installations.
        """
        there = self._optional("apps/v1", "Deployment", self.control_namespace) or []
        service = self._service_object()
        selector = spec_of(service or {}).get("selector") or {}
        behind = [one for one in there if selector and selector.items() <= _pod_labels(one).items()]
        if behind or (self.injector and self.injector.host):
            return behind
        return [one for one in there if labels_of(one).get("app") == "istiod"]

    @property
    def service(self) -> str:
        """Name of the Service of the control plane."""
        return (self.injector.service if self.injector else "") or "istiod"

    @property
    def service_address(self) -> str:
        """Address of that Service inside the cluster; empty where it may not be read."""
        return str(spec_of(self._service_object() or {}).get("clusterIP") or "")

    def _service_object(self) -> dict[str, Any] | None:
        """The Service that injects; None where there is none, or it may not be read."""
        if not (self.injector and self.injector.service):
            return None
        try:
            return self.cluster.get("v1", "Service", self.injector.service, self.injector.namespace)
        except ClusterError:
            return None

    @property
    def control_namespace(self) -> str:
        """Namespace of the control plane, or of what represents it in the cluster."""
        return (self.injector.namespace if self.injector else "") or self._stated_root or ROOT_NAMESPACE

    @cached_property
    def root(self) -> str:
        """The root namespace. SettingsError where the user states one that is not there, or not the mesh's."""
        return root_namespace.chosen(self.cluster, self._stated_root, self.configurations, self.control_namespace)

    @cached_property
    def proxy(self) -> InjectedProxy | None:
        """The proxy that is injected; None where no pod shows it."""
        return injected_proxy(self.cluster, self.revision) if self.injects else None

    @cached_property
    def version(self) -> str:
        """Of the chosen revision's istiod; where that is not seen, of the proxies that are injected."""
        for deployment in self.istiods:
            image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
            label = str(_pod_labels(deployment).get("app.kubernetes.io/version") or "")
            if version := version_of(image, label):
                return version
        return self.proxy.version if self.proxy else ""

    @cached_property
    def flavour(self) -> Flavour:
        """Whose mesh it is. Proxies are looked at only where no istiod is seen."""
        if not self.injector:
            return Flavour.NONE
        proxy = None if self.istiods else self.proxy
        return flavour(
            namespace=self.injector.namespace,
            host=self.injector.host,
            version=self.version,
            discovery=proxy.discovery if proxy else "",
            revision=self.revision.name,
            managed=self._is_google_revision(),
        )

    def _is_google_revision(self) -> bool:
        if not self.cluster.has_kind(_GOOGLE_REVISIONS, "ControlPlaneRevision"):
            return False
        found = self._optional(_GOOGLE_REVISIONS, "ControlPlaneRevision", self.control_namespace) or ()
        return self.revision.name in {one["metadata"]["name"] for one in found}

    @cached_property
    def config_maps(self) -> list[dict[str, Any]]:
        """ConfigMaps of the control plane's namespace; none where they may not be read."""
        return self._optional("v1", "ConfigMap", self.control_namespace) or []

    @cached_property
    def configurations(self) -> list[dict[str, Any]]:
        """The configuration of the chosen revision, in parts; none where it may not be read."""
        return meshconfig.of_revision(self.config_maps, self.revision.name)

    @cached_property
    def prior(self) -> Prior:
        """What is in force already and reaches every namespace."""
        return prior.look(self.cluster, self.root, self.configurations) if self.injects else Prior()

    @property
    def logs_plainly(self) -> bool:
        """Whether all proxies write the access log that is looked for, in a format that is known."""
        return meshconfig.logs_access(self.configurations) and not (
            meshconfig.has_own_format(self.configurations) or self.prior.logs_otherwise
        )

    @cached_property
    def log_provider(self) -> str:
        """The provider for a Telemetry that turns access logs on; empty where none is needed or can be used."""
        if self.logs_plainly or not self.injects or self.flavour is Flavour.CSM_TRAFFIC_DIRECTOR:
            return ""
        if meshconfig.has_own_format(self.configurations):
            return ""  # the provider writes in the mesh's format, and a Telemetry cannot state another
        if not self.cluster.has_kind(TELEMETRY_V1, "Telemetry"):
            return ""
        may = self.cluster.can_i("create", "telemetries", group=ISTIO_TELEMETRY)
        return meshconfig.LOG_PROVIDER if may else ""

    @cached_property
    def not_analyzed(self) -> str:
        """Why `istioctl analyze` cannot look at the mesh; empty where it can. It fails at the first refused list."""
        if self.cluster.can_i("list", "secrets", self.root):
            return ""
        return f"this identity may not list secrets in {self.root}, which istioctl reads"

    @cached_property
    def ext_authz(self) -> str:
        """Name of the provider of external authorization whose server the suites deploy; empty for none."""
        return meshconfig.ext_authz_provider(self.configurations)

    @cached_property
    def pod_security(self) -> str:
        """Level of pod security that the root namespace enforces; empty for none, or where it may not be read."""
        try:
            found = self.cluster.get("v1", "Namespace", self.root) or {}
        except ClusterError:
            return ""
        labels = (found.get("metadata") or {}).get("labels") or {}
        return str(labels.get("pod-security.kubernetes.io/enforce") or "")

    @cached_property
    def nodes(self) -> list[dict[str, Any]] | None:
        """The nodes; None where this identity may not list them."""
        return self._optional("v1", "Node")

    @property
    def gateway_nodes(self) -> list[dict[str, Any]]:
        """The nodes of the pool `gateway`."""
        nodes = self.nodes or ()
        return [node for node in nodes if labels_of(node).get(NODE_POOL_LABEL) == "gateway"]

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
        return unprivileged_template(self.config_maps, self.revision.name)

    @cached_property
    def gateway_class(self) -> str:
        """Class of the Kubernetes Gateway API whose gateways the mesh deploys, `istio` first; empty for none."""
        if not self.cluster.has_kind(_GATEWAY_API_V1, "HTTPRoute"):
            return ""
        classes = self._optional(_GATEWAY_API_V1, "GatewayClass") or ()
        ours = {one["metadata"]["name"] for one in classes if one["spec"].get("controllerName") == _GATEWAY_CONTROLLER}
        return min(ours, key=lambda name: (name != "istio", name), default="")

    def _optional(self, api_version: str, kind: str, namespace: str = "") -> list[dict[str, Any]] | None:
        try:
            return self.cluster.objects(api_version, kind, namespace)
        except ClusterError:
            return None


def _pod_labels(deployment: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return labels
