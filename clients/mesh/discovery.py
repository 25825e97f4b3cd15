"""What mesh a cluster runs: version, revisions, and the capabilities that controls ask for. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field

from clients.kube.cluster import Cluster
from clients.mesh.capabilities import OF_MESH, CapabilityName
from clients.mesh.survey import ROOT_NAMESPACE as ROOT_NAMESPACE
from clients.mesh.survey import Survey


@dataclass(frozen=True)
class MeshInfo:
    """The mesh of a cluster.

    Attributes:
        name: `istio`; empty where none was found.
        version: of istiod, from its image tag or its version label.
        revisions: values of `istio.io/rev` that injection webhooks react to, sorted (`asm-1157-23`, `default`).
        capabilities: those of `clients.mesh.capabilities.OF_MESH` that the cluster has, by name.
        gateway_nodes: there are nodes of the pool `gateway`.
        unprivileged: injection template whose pods do not need NET_ADMIN; empty where there is none.
        ext_authz: name of the provider of external authorization whose server the suites deploy; empty for none.
        gateway_class: class of Kubernetes' Gateway API that this mesh's gateways have; empty for none.
        lacks: the capabilities of `OF_MESH` that the cluster does not have, each with the reason.
    """

    name: str = ""
    version: str = ""
    revisions: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    gateway_nodes: bool = False
    unprivileged: str = ""
    ext_authz: str = ""
    gateway_class: str = ""
    lacks: dict[str, str] = field(default_factory=dict)

    @property
    def writes_access_log(self) -> bool:
        """Whether the sidecars write an access log that can be read."""
        return CapabilityName.ACCESS_LOG in self.capabilities


def discover(cluster: Cluster) -> MeshInfo:
    """Find out which mesh is installed, and what it can do.

    Raises:
        AccessError: the identity may not read the root namespace or the webhooks.
    """
    survey = Survey(cluster)
    lacks = {one.name.value: why for one in OF_MESH if (why := one.why_not(survey))}
    return MeshInfo(
        name="istio" if survey.istiods else "",
        version=survey.version,
        revisions=survey.revisions,
        capabilities=frozenset(one.name.value for one in OF_MESH if one.name not in lacks),
        gateway_nodes=bool(survey.gateway_nodes),
        unprivileged=survey.unprivileged,
        ext_authz=survey.ext_authz,
        gateway_class=survey.gateway_class,
        lacks=lacks,
    )
