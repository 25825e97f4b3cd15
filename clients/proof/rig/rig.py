"""The rig of a test process: what it probes with, what it has deployed, and how certain it must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from clients.apply.applier import Applier
from clients.apply.environments import Environments
from clients.apply.limits import Limits
from clients.apply.open_mesh import OpenMesh
from clients.apply.overlay import Overlay
from clients.apply.stage_objects import StageObjects
from clients.identity.tokens import TokenIssuer
from clients.kube.cluster import Cluster
from clients.mesh.access_logs.followed_logs import FollowedLogs
from clients.mesh.access_logs.logs import Logs
from clients.mesh.discovery import MeshInfo
from clients.mesh.egress_gateway import EgressGateway
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.istioctl import Analyzer
from clients.mesh.policies import Policies
from clients.model.entrance import Entrance
from clients.probe.convergence import ConvergencePolicy
from clients.probe.way_in import WaysIn
from clients.proof.rig.access_logs import AccessLogs
from clients.proof.rig.certainty import Certainty
from clients.proof.rig.prober import Prober
from clients.proof.rig.workloads import Workloads


@dataclass(frozen=True)
class RigOptions:
    """Options of a rig. All times in seconds.

    Attributes:
        policy: budget and confirmations of every convergence.
        probe_timeout_s: curl's `--max-time`.
        ready_s: limit for an environment or a change to become ready, and to be deleted.
        entrances: `namespace/service` of a gateway, by the documents' names → what the settings say about its way in.
        load_balancers: Services of type LoadBalancer get an address, which is waited for.
        shut_ports: of load balancers, those that nothing comes through to from this machine.
        ingress_roots: PEM of the authorities that clients outside trust.
    """

    policy: ConvergencePolicy = field(default_factory=ConvergencePolicy)
    probe_timeout_s: float = 5.0
    ready_s: float = 120.0
    external: ExternalHosts | None = None
    gateway: EgressGateway = field(default_factory=EgressGateway)
    analyzer: Analyzer | None = None
    entrances: Mapping[str, Entrance] = field(default_factory=dict)
    load_balancers: bool = False
    shut_ports: frozenset[int] = frozenset()
    ingress_roots: str = ""


@dataclass(frozen=True)
class Rig:
    """One per process. Probes may be sent from several threads at once; everything else is for one thread.

    Attributes:
        mesh: the mesh as it was found when the run began.
        workloads: finds the pods that requests come from and go to.
        prober: sends requests.
        certainty: derives the confirmations that a path needs.
        applier, stage_objects, environments: apply manifests, keep what stages leave in force, deploy environments.
        logs: follows the logs of containers.
        access_logs: knows whether sidecars write them.
        policies: knows which are in force at a proxy.
        external: hosts outside the cluster; None where the target has none.
        gateway: the egress gateway that suites route through.
        analyzer: runs `istioctl analyze`; None where there is no istioctl.
    """

    cluster: Cluster
    mesh: MeshInfo
    overlay: Overlay
    tokens: TokenIssuer
    workloads: Workloads
    prober: Prober
    certainty: Certainty
    applier: Applier
    stage_objects: StageObjects
    environments: Environments
    logs: Logs
    policies: Policies
    access_logs: AccessLogs
    external: ExternalHosts | None = None
    gateway: EgressGateway = field(default_factory=EgressGateway)
    analyzer: Analyzer | None = None

    @classmethod
    def make(
        cls,
        cluster: Cluster,
        mesh: MeshInfo,
        overlay: Overlay,
        tokens: TokenIssuer,
        manifests: Path,
        options: RigOptions = RigOptions(),
    ) -> Self:
        """Create a rig.

        Args:
            manifests: the folder that manifest paths are relative to.
        """
        workloads = Workloads(cluster, overlay, options.external, options.gateway)
        limits = Limits(timeout_s=options.ready_s, load_balancers=options.load_balancers)
        applier = Applier(cluster, overlay, manifests, limits)
        open_mesh = opening(mesh, overlay)
        stage_objects = StageObjects(applier, open_mesh)
        environments = Environments(applier, stage_objects, open_mesh)
        workloads.stated = environments.containers
        prober = Prober(
            cluster,
            overlay,
            tokens,
            workloads,
            external=options.external,
            probe_timeout_s=options.probe_timeout_s,
            ways_in=WaysIn(cluster, _real_names(options.entrances, overlay), shut=options.shut_ports),
            ingress_roots=options.ingress_roots,
        )
        return cls(
            cluster,
            mesh,
            overlay,
            tokens,
            workloads,
            prober,
            Certainty(workloads, options.policy),
            applier,
            stage_objects,
            environments,
            FollowedLogs(cluster),
            Policies(cluster, mesh.root),
            AccessLogs(cluster, mesh),
            options.external,
            options.gateway,
            options.analyzer,
        )

    @property
    def writes_access_log(self) -> bool:
        """Whether sidecars write an access log that can be read."""
        return self.access_logs.written

    def settled_at(self, namespace: str) -> float:
        """Monotonic seconds from which on no pod of a namespace was made or deleted by this run."""
        return max(self.applier.pods_changed_at.get(namespace, 0.0), self.workloads.forgotten_at)

    def deploy(self, environment: Sequence[str]) -> None:
        """Deploy an environment, and look once whether its sidecars write access logs.

        Raises:
            MeshproofError: it cannot be deployed.
        """
        self.environments.ensure(environment)
        self.access_logs.look(self.environments.namespaces)

    def remove(self, environment: Sequence[str]) -> None:
        """Delete an environment before the end, and wait until it is gone; `environments.ensure` deploys it again.

        Raises:
            ClusterError: something could not be deleted.
        """
        self.forget()
        self.environments.remove(environment)

    def remove_other_environments(self, environment: Sequence[str]) -> None:
        """Delete the environments of other topics: idle pods cost processor time. This does not wait for them.

        Raises:
            ClusterError: something could not be deleted.
        """
        if others := self.environments.others(environment):
            self.forget()
            self.stage_objects.clear()
            self.environments.leave(others)

    def close(self, *, keep: bool = False) -> None:
        """Close the sessions, delete the environments and wait until they are gone (`keep` leaves them).

        Raises:
            ClusterError: something could not be deleted.
        """
        self.forget()
        self.environments.close(keep=keep)

    def forget(self) -> None:
        """Close sessions and logs, and look pods up again: after a change to the workloads themselves."""
        self.prober.forget()
        self.logs.close()
        self.workloads.forget()


def opening(mesh: MeshInfo, overlay: Overlay) -> OpenMesh:
    """What a run sets against the mesh as it was found, with the names and labels of this process."""
    found = mesh.prior
    return OpenMesh(
        overlay.labels, found.permissive, found.allow, found.open, mesh.log_provider, found.rules, overlay.domain
    )


def _real_names(entrances: Mapping[str, Entrance], overlay: Overlay) -> dict[str, Entrance]:
    """The same by the names that the run's namespaces have."""
    split = ((name.partition("/"), entrance) for name, entrance in entrances.items())
    return {f"{overlay.namespace(namespace)}/{service}": entrance for (namespace, _, service), entrance in split}
