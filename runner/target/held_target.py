"""Brings the target up and finds out, once a run, what every test process needs to know of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from clients.apply.overlay import WORKER_LABEL
from clients.identity.tokens import TokenIssuer
from clients.kube.cleanup import Leftover, cleanup, find
from clients.kube.cluster import Cluster
from clients.kube.lease import RunLease, holder_here
from clients.model.errors import ClusterError, MeshproofError, SettingsError
from reports.model import MeshRecord, TargetInfo
from runner.config import rights
from runner.config.settings import Settings, TargetKind
from runner.target import browsers, identity
from runner.target.access import PUBLIC_IMAGES, Access, access
from runner.target.descriptor import TargetDescriptor

DEFAULT_REVISION = "default"
CHROMIUM = "chromium"
"""The capability of whoever has a browser."""

Say = Callable[[str], None]


def connect(descriptor: TargetDescriptor) -> Cluster:
    """A connection of this process to the target."""
    return Cluster.connect(Path(descriptor.kubeconfig) if descriptor.kubeconfig else None, descriptor.context or None)


class HeldTarget:
    """The target, held by the controlling process for the length of a run.

    Attributes:
        handover: what the test processes are told.
    """

    def __init__(
        self,
        settings: Settings,
        run: str,
        private: Path,
        say: Say,
        *,
        browsed: Callable[[], bool] = lambda: False,
        on_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Bring it up, look at it, and keep other runs out.

        Args:
            browsed: whether anything selected needs a browser.
            on_lost: called, from a thread, with the reason when the cluster is no longer ours to change.

        Raises:
            MeshproofError: it cannot be had, has no mesh, or another run holds it.
        """
        identity.check(settings)
        there = access(settings, say)
        self._run = run
        self._cluster = Cluster.connect(there.file, there.context or None)
        mesh = self._cluster.mesh
        if not mesh.name:
            raise ClusterError("no service mesh was found on the cluster", "install Istio, or use --target embedded")
        revision = chosen_revision(settings.revision, mesh.revisions)
        browser = browsers.find_or_install(browsed, say)
        tokens = private / "tokens"
        TokenIssuer().dump(tokens)
        self.descriptor = TargetDescriptor(
            target=TargetInfo(
                kind=settings.target.value,
                kubernetes=self._cluster.server_version,
                mesh=MeshRecord(mesh.name, mesh.version, revision or DEFAULT_REVISION),
                context=there.context,
            ),
            kubeconfig=there.kubeconfig,
            context=there.context,
            revision=revision,
            images=there.images,
            capabilities=tuple(sorted(mesh.capabilities | harness_capabilities(settings, there, browser))),
            lacks={} if browser.program else {CHROMIUM: browser.why_not},
            tokens=str(tokens),
            outside=there.outside,
            istioctl=there.istioctl,
            node_pool=mesh.gateway_nodes,
            browser=browser.program,
            unprivileged=mesh.unprivileged,
            ext_authz=mesh.ext_authz,
            gateway_class=mesh.gateway_class,
        )
        self._lease = RunLease(self._cluster, holder_here(), run=run, on_lost=on_lost)
        self._lease.acquire()

    def sweep(self) -> list[Leftover]:
        """Delete whatever of this run is still there; returns what it was.

        Raises:
            ClusterError: something does not go away, or the cluster does not answer.
        """
        return cleanup(self._cluster, self._run, made=rights.made())

    def release(self) -> None:
        """Let other runs in."""
        with suppress(MeshproofError):
            self._lease.release()


def harness_capabilities(settings: Settings, there: Access, browser: browsers.Found) -> set[str]:
    """Capabilities of what stands beside the cluster."""
    found = there.outside.capabilities | {"egress-gateway"} | identity.capabilities(settings)
    found.add("psp")  # Pod Security Admission: in every Kubernetes since 1.25, and the meshes of today want a newer one
    if there.images.get("loadgenerator") != PUBLIC_IMAGES["loadgenerator"]:
        found.add("load-count")
    if settings.target is TargetKind.EMBEDDED:
        found |= {"load-balancer", "iap", "istiod-restart"}
    if browser.program:
        found.add(CHROMIUM)
    if settings.egress.blocked:
        found.add("external-block")
    elif there.outside.hosts:
        found.add("external-open")  # no firewall: only the mesh and its policies can refuse
    return found | ({"analyze"} if there.istioctl else set())


def sweep_worker(descriptor: TargetDescriptor, run: str, worker: str) -> None:
    """Delete what one process of this run left, and only that: others are at work.

    Raises:
        ClusterError: the cluster does not answer.
    """
    cluster = connect(descriptor)
    for left in find(cluster, run, made=rights.made()):
        found = cluster.get(left.api_version, left.kind, left.name, left.namespace) or {}
        if found.get("metadata", {}).get("labels", {}).get(WORKER_LABEL) == worker:
            cluster.delete(left.api_version, left.kind, left.name, left.namespace)


def chosen_revision(wanted: str, found: tuple[str, ...]) -> str:
    """The revision for `istio.io/rev`; empty keeps the default injection label.

    Raises:
        SettingsError: the wanted one does not exist, or it is not clear which one is meant.
    """
    if wanted:
        if wanted not in found:
            raise SettingsError(f"the mesh has no revision {wanted}", f"it has: {', '.join(found) or 'none'}")
        return wanted
    if DEFAULT_REVISION in found or not found:
        return ""
    if len(found) > 1:
        raise SettingsError(
            "the mesh has several revisions and no default one", f"choose by --revision: {', '.join(found)}"
        )
    return found[0]
