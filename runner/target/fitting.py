"""From the settings to what is added to every object of a run, and to every reference of an image."""

from __future__ import annotations

from collections.abc import Mapping

from clients.apply.fitting import Fitting, PullSecret
from clients.kube import families
from clients.kube.cluster import Cluster
from clients.kube.families import Families
from clients.mesh.survey.prior import Prior
from clients.model.errors import ClusterError, SettingsError
from clients.model.redact import remember
from runner.config.fitting_settings import Quantities
from runner.config.rights import OPENSHIFT
from runner.config.settings import Settings

REQUESTS = {"cpu": "10m", "memory": "64Mi"}
LIMITS = {"cpu": "1", "memory": "512Mi"}
"""Of containers on a cluster that others use: quotas demand both, and autoscalers guess what is not stated."""

KEPT = {
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}
"""Annotations of pods on a cluster that others use: Karpenter and the Cluster Autoscaler do not move them to save a
node (their documentation). A server with one replica is away as long as that takes."""

LINUX = {"kubernetes.io/os": "linux"}
"""Label of the nodes that pods of a run need: its images are for Linux, and not every Windows node has a taint
(Kubernetes, "Windows containers"). The kubelet sets it."""


def fitting(
    settings: Settings,
    cluster: Cluster,
    prior: Prior,
    *,
    own: bool,
    service_type: str = "",
    refused: tuple[str, ...] = (),
) -> Fitting:
    """What the objects of a run need.

    Args:
        prior: what the mesh states by default.
        own: the cluster is the harness's, so nothing but the settings asks for resources.
        service_type: what the cluster accepts in the place of a load balancer; empty where it accepts those.
        refused: those of `KEPT` that the cluster does not accept.

    Raises:
        SettingsError: the pull secret does not exist, or may not be read.
    """
    pods = settings.pods
    kept = {} if own else {name: value for name, value in KEPT.items() if name not in refused}
    return Fitting(
        namespace_labels=settings.namespaces.labels,
        namespace_annotations=settings.namespaces.annotations,
        node_selector=_nodes(pods.node_selector, own=own),
        pod_labels=pods.labels,
        tolerations=tuple(one.as_json for one in pods.tolerations),
        pod_annotations={**kept, **pods.annotations},
        pull_secret=pull_secret(pods.pull_secret, cluster) if pods.pull_secret else None,
        requests=_or_default(pods.requests, {} if own else REQUESTS),
        limits=_or_default(pods.limits, {} if own else LIMITS),
        least=_or_default(pods.requests, {}),
        service_annotations=settings.ingress.annotations,
        annotations_of=settings.ingress.service_annotations(),
        service_types=settings.ingress.service_types(service_type),
        constraint=_constraint(pods.constraint, cluster),
        exported=prior.narrow_exports,
        families=Families() if own else families.of(cluster),
    )


def _nodes(given: Mapping[str, str], *, own: bool) -> dict[str, str]:
    """Labels of the nodes to use; an empty value for that of Linux takes nodes of any."""
    wanted = {**({} if own else LINUX), **given}
    return {name: value for name, value in wanted.items() if value or name not in LINUX}


def _or_default(given: Quantities | None, default: Mapping[str, str]) -> dict[str, str]:
    return dict(default) if given is None else {str(name): quantity for name, quantity in given.items()}


def _constraint(name: str, cluster: Cluster) -> str:
    """The constraint that a run's accounts are bound to; empty where there are none, or this identity may not use it.

    An identity can grant only what it may do itself. Without it, pods start where all accounts may use one.
    """
    if not name or not cluster.has_kind(f"{OPENSHIFT}/v1", "SecurityContextConstraints"):
        return ""
    return name if cluster.can_i("use", "securitycontextconstraints", group=OPENSHIFT, name=name) else ""


def pull_secret(name: str, cluster: Cluster) -> PullSecret:
    """The user's Secret; its content is redacted from now on wherever it occurs.

    Raises:
        SettingsError: it does not exist, or may not be read.
    """
    namespace, _, secret = name.partition("/")
    try:
        found = cluster.get("v1", "Secret", secret, namespace)
    except ClusterError as error:
        raise SettingsError(f"pods.pull_secret {name} cannot be read: {error.message}", error.hint) from None
    if found is None:
        raise SettingsError(f"pods.pull_secret names {name}, which does not exist", "create it, or name another one")
    for value in found.get("data", {}).values():
        remember(value)
    return PullSecret(str(found.get("type", "")), found.get("data", {}))


def mirrored(reference: str, prefix: str) -> str:
    """The reference at a mirror: its registry is replaced by the prefix, path, tag and digest stay.

    `registry.k8s.io/e2e/agnhost:2.53` at `mirror.example.com/all` is `mirror.example.com/all/e2e/agnhost:2.53`.
    """
    if not prefix:
        return reference
    first, slash, rest = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return f"{prefix.rstrip('/')}/{rest if named else reference}"
