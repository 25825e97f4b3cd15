"""Brings the target up and detects, once a run, what every test process needs to know about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from clients.identity.tokens import TokenIssuer
from clients.kube.cleanup import Leftover, cleanup, find
from clients.kube.cluster import Cluster
from clients.kube.holder import holder_here
from clients.kube.labels import WORKER_LABEL
from clients.kube.lease import RunLease
from clients.mesh import discovery, identity_of
from clients.mesh.discovery import MeshInfo
from clients.model import cluster_domain
from clients.model.errors import ConflictError, MeshproofError
from clients.proof.preflight.canary import Canary
from reports.record.model import MeshRecord, TargetInfo
from runner.config import rights
from runner.config.settings import Settings
from runner.target import browsers, capabilities, identity, named, preflight, targets
from runner.target.access import Access, Say
from runner.target.descriptor import TargetDescriptor
from runner.target.in_use import in_use_error
from runner.target.target import Target

DEFAULT_REVISION = "default"
NODE_IMAGE = "node image"
"""Name of what nodes run, in the configuration of a target."""


def connect(descriptor: TargetDescriptor) -> Cluster:
    """A connection of this process to the target."""
    return descriptor.connect()


class HeldTarget:
    """The target, held by the controlling process for the length of a run.

    Attributes:
        descriptor: what the test processes know about it.
    """

    def __init__(
        self, cluster: Cluster, run: str, descriptor: TargetDescriptor, lease: RunLease, canary: Canary | None
    ) -> None:
        self.descriptor = descriptor
        self._cluster = cluster
        self._run = run
        self._lease = lease
        self._canary = canary

    @classmethod
    def bring_up(
        cls,
        settings: Settings,
        run: str,
        private: Path,
        say: Say,
        *,
        browsed: Callable[[], bool] = lambda: False,
        entered: Callable[[], bool] = lambda: True,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Bring it up, inspect it, and take the lease that keeps other runs out.

        Args:
            browsed: whether a selected control needs a browser.
            entered: whether one has clients outside the cluster.
            on_lost: called from a thread, with the reason, when this run has lost its lease of the cluster.

        Raises:
            MeshproofError: it cannot be reached or started, has no mesh, or another run holds it.
        """
        identity.check(settings)
        target = targets.of(settings)
        there = target.access(say)
        cluster = there.connect()
        survey = named.survey_of(cluster, settings)
        named.require(survey, settings)
        mesh = discovery.seen(survey)
        browser = browsers.find_or_install(browsed, say)
        found = capabilities.found(mesh, capabilities.Surroundings(target, there, browser))
        tokens = private / "tokens"
        TokenIssuer().dump(tokens)
        described = _described(target, there, cluster, mesh)
        descriptor = _descriptor(described, there, mesh, found, tokens, browser.program)
        tries = not (target.starts_itself or settings.skip_preflight)
        canary = preflight.canary(cluster, settings, there, mesh, run, entered) if tries else None
        lease = RunLease(cluster, holder_here(), run=run, on_lost=on_lost)
        held = cls(cluster, run, descriptor, lease, canary)
        held._hold(found, say)
        return held

    def _hold(self, found: capabilities.Capabilities, say: Say) -> None:
        """Take the lease, then try what the cluster does; where that ends the run, nothing is left.

        Raises:
            ConflictError: another run holds the cluster.
            ClusterError: nothing can be proven there.
        """
        try:
            self._lease.acquire()
        except ConflictError as error:
            raise in_use_error(self._cluster, error, root=self.descriptor.mesh.root) from None
        if self._canary:
            try:
                self._try(self._canary, found, say)
            except BaseException:  # an interruption too: no caller has this object yet
                try:
                    self.sweep()
                finally:
                    self.release()
                raise

    def _try(self, canary: Canary, found: capabilities.Capabilities, say: Say) -> None:
        """Try what the cluster does, and correct what was only detected.

        Raises:
            ClusterError: nothing can be proven there.
        """
        say("preflight: what this cluster does is tried in a namespace of its own")
        shown = canary.look()
        for line in shown.lines:
            if not (line.ok or line.blocks):
                say(f"preflight: {line.name}: {line.detail}" + (f"; {line.hint}" if line.hint else ""))
        preflight.end_where_blocked(shown, self.descriptor.mesh.prior.notes)
        tried = preflight.corrected(found, shown)
        self.descriptor = replace(
            self.descriptor,
            mesh=preflight.opened(self.descriptor.mesh, shown),
            capabilities=tried.names,
            lacks=tried.lacks,
            outside_address=shown.outside_address,
            guarding=shown.guarding,
            service_type=shown.service_type,
            shut_ports=shown.shut_ports,
            refused_annotations=shown.refused_annotations,
        )
        mesh, target = self.descriptor.mesh, self.descriptor.target
        before = (*mesh.prior.texts, *preflight.in_force(shown))
        described = replace(target, details=_details(mesh), in_force=before)
        self.descriptor = replace(self.descriptor, target=described)

    def sweep(self) -> list[Leftover]:
        """Delete every object of this run that is still there; returns what was deleted.

        Raises:
            ClusterError: an object is not removed in time, or the cluster does not answer.
        """
        if self._canary:
            with suppress(MeshproofError):  # what is still there is found below
                self._canary.wait_gone()
        return cleanup(self._cluster, self._run, made=rights.made())

    def release(self) -> None:
        """Let other runs in."""
        with suppress(MeshproofError):
            self._lease.release()


def left_by(cluster: Cluster, run: str) -> list[Leftover]:
    """The objects of a run that exist now; only kinds that a run can create, which the shipped roles may list.

    Raises:
        ClusterError: the cluster does not answer.
    """
    return find(cluster, run, made=rights.made())


def sweep_worker(descriptor: TargetDescriptor, run: str, worker: str) -> None:
    """Delete what one process of this run left, and only that: others are still running.

    Raises:
        ClusterError: the cluster does not answer.
    """
    cluster = connect(descriptor)
    for left in left_by(cluster, run):
        found = cluster.get(left.api_version, left.kind, left.name, left.namespace) or {}
        if found.get("metadata", {}).get("labels", {}).get(WORKER_LABEL) == worker:
            cluster.delete(left.api_version, left.kind, left.name, left.namespace)


def _descriptor(
    described: TargetInfo,
    there: Access,
    mesh: MeshInfo,
    found: capabilities.Capabilities,
    tokens: Path,
    browser: str,
) -> TargetDescriptor:
    """What test processes get to know: how to reach the target, and what was found there."""
    return TargetDescriptor(
        target=described,
        mesh=mesh,
        kubeconfig=there.kubeconfig,
        context=there.context,
        revision=mesh.label,
        images=there.images,
        capabilities=found.names,
        lacks=found.lacks,
        tokens=str(tokens),
        outside=there.outside,
        istioctl=there.istioctl,
        browser=browser,
    )


def _described(target: Target, there: Access, cluster: Cluster, mesh: MeshInfo) -> TargetInfo:
    """The target as reports describe it."""
    return TargetInfo(
        kind=target.kind,
        kubernetes=cluster.server_version,
        mesh=MeshRecord(mesh.name, mesh.version, mesh.revision or DEFAULT_REVISION, mesh.flavour),
        context=there.context,
        cluster=target.settings.cluster_name,
        details=_details(mesh),
        in_force=mesh.prior.texts,
        name=target.name(there, cluster.server),
        server=cluster.server,
        configuration={**_nodes(cluster), **mesh.configuration},
        uid=identity_of.uid(cluster),
        images={**there.images, **identity_of.images(cluster, mesh.root)},
    )


def _nodes(cluster: Cluster) -> dict[str, str]:
    found = identity_of.nodes(cluster)
    return {NODE_IMAGE: found} if found else {}


def _details(mesh: MeshInfo) -> dict[str, str]:
    """What else reports show of the mesh; empty values are left out by them."""
    logs = "turned on in the run's namespaces" if mesh.log_provider else ""
    return {
        "mesh flavour": mesh.flavour,
        "root namespace": mesh.root if mesh.root != rights.ROOT_NAMESPACE else "",
        "cluster domain": mesh.cluster_domain if mesh.cluster_domain != cluster_domain.DEFAULT else "",
        "access logs": logs,
    }
