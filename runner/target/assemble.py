"""Builds the rig of a process from the descriptor that the controlling process passes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clients.apply.fitting import Fitting
from clients.apply.overlay import Overlay
from clients.apply.references import namespaces_in
from clients.identity import certificates
from clients.identity.external_issuer import ExternalIssuer
from clients.identity.tokens import TokenIssuer
from clients.kube.cluster import Cluster
from clients.kube.cluster_time import ClusterTime
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.mesh.egress_gateway import EgressGateway
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.mesh.istioctl import Analyzer
from clients.model.errors import ClusterError
from clients.probe import outside
from clients.probe.way_in import node_addresses
from clients.proof.rig.rig import Rig, RigOptions
from runner.config.settings import ROOT, Settings
from runner.target import identity, targets
from runner.target.descriptor import TargetDescriptor
from runner.target.fitting import fitting
from runner.target.template_values import FRONT_HOSTS, Scope, template_values

MANIFESTS = ROOT / "manifests"
OURS = EgressGateway()
Touch = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True)
class TouchedOverlay(Overlay):
    """An overlay that passes every list of objects to `touch`, which may change it, before any other use."""

    touch: Touch = lambda _: None

    def objects(self, text: str, source: str) -> list[dict[str, Any]]:
        """The objects of a manifest, touched."""
        objects = super().objects(text, source)
        self.touch(objects)
        return objects


def prefix_of(run: str, worker: str) -> str:
    """The prefix of all names of a process: `mp-<the run's suffix>-<worker>-`."""
    return f"mp-{run.rsplit('-', 1)[-1]}-{worker.removeprefix('g')}-"


def egress_gateway(settings: Settings, prefix: str) -> EgressGateway:
    """The user's gateway where the settings name one; else that of the manifests.

    Ours has a label value that is unique to the process: a Gateway object selects pods by label in all namespaces, so
    that it would also change gateways of users and of other processes of the run.
    """
    egress = settings.egress
    if not egress.namespace:
        return EgressGateway(label=f"istio={prefix}egressgateway")
    return EgressGateway(
        OURS.namespace, egress.service, egress.label, egress.http_port, egress.tls_port, egress.namespace
    )


def overlay(
    descriptor: TargetDescriptor,
    run: str,
    worker: str,
    touch: Touch,
    tokens: TokenIssuer,
    scope: Scope,
    demanded: Fitting | None = None,
) -> TouchedOverlay:
    """The overlay of one worker of one run."""
    gateway = scope.gateway
    return TouchedOverlay(
        prefix=scope.prefix,
        run=run,
        worker=worker,
        images=descriptor.images,
        revision=descriptor.revision,
        values=template_values(descriptor, tokens, scope),
        namespaces=namespaces_in(manifest_texts()),
        root=descriptor.mesh.root,
        domain=descriptor.mesh.cluster_domain,
        given={gateway.namespace: gateway.given} if gateway.given else {},
        keys={issuer.issuer: issuer.keys.rule for issuer in tokens.real.values()},
        fitting=demanded or Fitting(),
        touch=touch,
    )


def manifest_texts(folder: Path = MANIFESTS) -> list[tuple[str, str]]:
    """(path relative to the folder, text) of every manifest."""
    paths = sorted(folder.rglob("*.yaml"))
    return [(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def rig(
    cluster: Cluster,
    descriptor: TargetDescriptor,
    settings: Settings,
    run: str,
    worker: str,
    touch: Touch,
    real: Mapping[str, ExternalIssuer],
) -> Rig:
    """The rig of this process.

    Args:
        real: issuers that replace the run's own, by profile.
    """
    clock = ClusterTime.read(cluster).now
    tokens = identity.take_over(TokenIssuer.load(Path(descriptor.tokens)), real, settings, clock)
    prefix = prefix_of(run, worker)
    gateway = egress_gateway(settings, prefix)
    certificate = certificates.issue(FRONT_HOSTS, clock)
    scope = Scope(prefix, gateway, certificate, descriptor.outside_address or own_address(cluster))
    file = Path(descriptor.kubeconfig) if descriptor.kubeconfig else None
    revision = descriptor.mesh.revision if descriptor.revision else ""  # istioctl does not take a tag for it
    analyzer = Analyzer(Path(descriptor.istioctl), file, descriptor.context, revision) if descriptor.istioctl else None
    options = RigOptions(
        policy=settings.policy,
        external=external(descriptor),
        gateway=gateway,
        analyzer=analyzer,
        ready_s=settings.ready_s,
        entrances=settings.ingress.entrances(settings.ingress_address),
        load_balancers=CapabilityName.LOAD_BALANCER in descriptor.capabilities,
        shut_ports=frozenset(descriptor.shut_ports),
        ingress_roots=certificate.roots,
    )
    own = targets.of_kind(descriptor.target.kind).starts_itself
    prior, refused = descriptor.mesh.prior, descriptor.refused_annotations
    demanded = fitting(settings, cluster, prior, own=own, service_type=descriptor.service_type, refused=refused)
    fitted = replace(demanded, open_network=bool(descriptor.guarding))
    names = overlay(descriptor, run, worker, touch, tokens, scope, fitted)
    return Rig.make(cluster, descriptor.mesh, names, tokens, MANIFESTS, options)


def own_address(cluster: Cluster) -> str:
    """Of this machine, as gateways see it: on its route to a node, or to the API server where nodes are not known.

    The API server may be published elsewhere: that of a kind cluster is at 127.0.0.1.
    """
    try:
        nodes = cluster.objects("v1", "Node")
    except ClusterError:
        nodes = []
    server = urlsplit(cluster.server).hostname or ""
    return outside.own_address(*(address for node in nodes for address in node_addresses(node)), server)


def external(descriptor: TargetDescriptor) -> ExternalHosts | None:
    """The external hosts; None where the target has none. Of their log only what is new counts."""
    record = descriptor.outside
    roots = Path(record.roots).read_text(encoding="utf-8") if record.roots else ""
    log = HostLog.from_now(Path(record.log)) if record.log else None
    return ExternalHosts(record.hosts, roots, log, record.more) if record.hosts else None
