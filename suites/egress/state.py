"""What the state controls of this topic check: findings of the analysis, selectors of network policies."""

from __future__ import annotations

import re
from typing import Any

from clients.apply.overlay import MESH_NAMESPACE
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL, WORKER_LABEL
from clients.mesh.istioctl import Message
from clients.model.errors import InfrastructureError
from clients.proof.running_stage import RunningStage
from clients.proof.world import World

_PREFIX = re.compile(r"\bmp-[0-9a-z]+-[0-9a-z]+-")
"""Prefix of all names of a worker of a run."""
_OBJECT = re.compile(r"(?<![\w./-])([a-z0-9-]+)/(?!v\d)[a-z0-9]")
"""How a finding names an object: `namespace/name`; what looks the same is a version (`apps/v1`)."""
_NETWORKING = "networking.k8s.io/v1"


def findings(stage: RunningStage) -> list[Message]:
    """What `istioctl analyze` finds in the egress namespace, about objects of this worker alone.

    It holds routes for the same host in other namespaces against ours (IST0109, IST0140), which other processes of the
    run have, and users of the cluster may have.

    Raises:
        InfrastructureError: it did not run.
    """
    world = stage.world
    if world.analyzer is None:
        raise InfrastructureError("there is no istioctl", "name one by --istioctl")
    found = world.analyzer.run(world.overlay.namespace("istio-egress"))
    ours = {MESH_NAMESPACE, *map(world.overlay.namespace, world.overlay.namespaces)}
    there = world.cluster.objects("v1", "Namespace")
    users = {one["metadata"]["name"] for one in there if not _is_of_a_run(one)} - ours
    return [one for one in found if not _names_others(f"{one.origin} {one.text}", world.overlay.prefix, users)]


def _names_others(text: str, prefix: str, users: set[str]) -> bool:
    """Whether a finding names an object of another process, or of a namespace that no run made."""
    return any(name != prefix for name in _PREFIX.findall(text)) or not users.isdisjoint(_OBJECT.findall(text))


def analysis_problem(stage: RunningStage) -> str | None:
    """The findings in one line; None when there is none."""
    return "; ".join(str(found) for found in findings(stage)) or None


def selectors_without_pods(world: World) -> list[str]:
    """Peers of the egress rules in team-x, by labels, that select no running pod of this process or of the cluster."""
    return [
        f"{policy['metadata']['name']}: {peer} selects no running pod"
        for policy in world.cluster.objects(_NETWORKING, "NetworkPolicy", world.overlay.namespace("team-x"))
        for rule in policy["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if "namespaceSelector" in peer and not _running(world, peer)
    ]


def _running(world: World, peer: dict[str, Any]) -> bool:
    selected = world.cluster.objects("v1", "Namespace", labels=_selector(peer["namespaceSelector"]))
    namespaces = [one for one in selected if not _is_of_a_run(one) or _is_ours(world, one)]
    labels = _selector(peer.get("podSelector") or {})
    pods = (pod for one in namespaces for pod in world.cluster.pods(one["metadata"]["name"], labels))
    return any(pod.phase == "Running" for pod in pods)


def _is_of_a_run(namespace: dict[str, Any]) -> bool:
    return bool(namespace["metadata"].get("labels", {}).get(MANAGED_BY_LABEL) == MANAGER)


def _is_ours(world: World, namespace: dict[str, Any]) -> bool:
    labels = namespace["metadata"]["labels"]
    return (labels.get(RUN_LABEL), labels.get(WORKER_LABEL)) == (world.overlay.run, world.overlay.worker)


def _selector(selector: dict[str, Any]) -> str:
    """A label selector in its text form."""
    parts = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    expressions = selector.get("matchExpressions", ())
    parts += [f"{one['key']} {one['operator'].lower()} ({','.join(one['values'])})" for one in expressions]
    return ",".join(parts)
