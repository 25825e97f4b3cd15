"""What mesh a cluster runs: version, revisions, and the capabilities that controls ask for. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field

from clients.kube.cluster import Cluster
from clients.mesh.capabilities.capabilities import OF_MESH, CapabilityName
from clients.mesh.survey import injection
from clients.mesh.survey.own_domain import own_domain
from clients.mesh.survey.prior import Prior
from clients.mesh.survey.recorded import recorded
from clients.mesh.survey.survey import ROOT_NAMESPACE as ROOT_NAMESPACE
from clients.mesh.survey.survey import Survey
from clients.model import cluster_domain


@dataclass(frozen=True)
class MeshInfo:
    """The mesh of a cluster.

    Attributes:
        name: `istio`; empty where none was found.
        version: of the chosen revision's istiod, or of its proxies where no istiod is seen.
        flavour: whose mesh it is, in words (`clients.mesh.survey.flavour.Flavour`).
        revisions: of the control planes that inject, sorted (`asm-1157-23`, `default`).
        tags: further names by which namespaces ask for a revision, and that revision.
        revision: the one that was chosen, never a tag.
        label: value of `istio.io/rev` for namespaces; empty keeps `istio-injection: enabled`.
        root: the namespace whose policies apply to the whole mesh.
        control_namespace: namespace of the control plane, or of what represents it in the cluster.
        service: name of the control plane's Service there.
        capabilities: those of `clients.mesh.capabilities.capabilities.OF_MESH` that the cluster has, by name.
        gateway_nodes: there are nodes of the pool `gateway`.
        unprivileged: injection template whose pods do not need NET_ADMIN; empty where there is none.
        ext_authz: name of the provider of external authorization whose server the suites deploy; empty for none.
        gateway_class: class of Kubernetes' Gateway API that this mesh's gateways have; empty for none.
        prior: what was in force before the run, and reaches all namespaces.
        log_provider: of access logs, for a Telemetry of the run's own namespaces; empty where none is needed.
        not_analyzed: why `istioctl analyze` cannot look at the mesh; empty where it can.
        lacks: the capabilities of `OF_MESH` that the cluster does not have, each with the reason.
        cluster_domain: in the full names of Services (`clients.model.cluster_domain`).
        configuration: how the mesh is set, by name, redacted (`clients.mesh.survey.recorded`).
    """

    name: str = ""
    version: str = ""
    flavour: str = ""
    revisions: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    revision: str = ""
    label: str = ""
    root: str = ROOT_NAMESPACE
    control_namespace: str = ROOT_NAMESPACE
    service: str = "istiod"
    capabilities: frozenset[str] = frozenset()
    gateway_nodes: bool = False
    unprivileged: str = ""
    ext_authz: str = ""
    gateway_class: str = ""
    not_analyzed: str = ""
    lacks: dict[str, str] = field(default_factory=dict)
    prior: Prior = field(default_factory=Prior)
    log_provider: str = ""
    configuration: dict[str, str] = field(default_factory=dict)
    cluster_domain: str = cluster_domain.DEFAULT

    @property
    def writes_access_log(self) -> bool:
        """Whether the sidecars write an access log that can be read."""
        return CapabilityName.ACCESS_LOG in self.capabilities


def discover(cluster: Cluster, revision: str = "", root: str = "") -> MeshInfo:
    """Find out which mesh is installed, and what it can do.

    Args:
        revision: name of the revision or tag to use; empty for the default one, or the only one.
        root: the root namespace; empty for the one that the mesh itself states.

    Raises:
        AccessError: the identity may not read the webhooks.
        SettingsError: there is no such revision, or it is not clear which one to use.
    """
    return seen(Survey(cluster, revision, root))


def seen(survey: Survey) -> MeshInfo:
    """The same by a survey; what the survey has read already is not read again.

    Raises:
        AccessError: the identity may not read the webhooks.
        SettingsError: there is no such revision, or it is not clear which one to use.
    """
    lacks = {one.name.value: why for one in OF_MESH if (why := one.why_not(survey))}
    return MeshInfo(
        name="istio" if survey.injects or survey.istiods else "",
        version=survey.version,
        flavour=survey.flavour.value,
        revisions=injection.revisions(survey.injectors),
        tags=injection.tags(survey.injectors),
        revision=survey.revision.name,
        label=survey.revision.label,
        root=survey.root,
        control_namespace=survey.control_namespace,
        service=survey.service,
        capabilities=frozenset(one.name.value for one in OF_MESH if one.name not in lacks),
        gateway_nodes=bool(survey.gateway_nodes),
        unprivileged=survey.unprivileged,
        ext_authz=survey.ext_authz,
        gateway_class=survey.gateway_class,
        not_analyzed=survey.not_analyzed,
        lacks=lacks,
        prior=survey.prior,
        log_provider=survey.log_provider,
        configuration=recorded(survey) if survey.injects else {},
        cluster_domain=own_domain(survey),
    )
