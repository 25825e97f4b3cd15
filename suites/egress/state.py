"""What the state controls of this topic check: findings of the analysis, selectors of network policies."""

from __future__ import annotations

import re
from typing import Any

from clients.mesh.istioctl import Message
from clients.model.errors import InfrastructureError
from clients.proof.running_stage import RunningStage
from clients.proof.world import World

_PREFIX = re.compile(r"\bmp-[0-9a-z]+-[0-9a-z]+-")
"""Prefix of all names of a worker of a run."""
_NETWORKING = "networking.k8s.io/v1"


def findings(stage: RunningStage) -> list[Message]:
    """What `istioctl analyze` finds in the egress namespace, about objects of this worker alone.

    It also reports routes of the same name in other namespaces (IST0140), which other workers of the run have.

    Raises:
        InfrastructureError: it did not run.
    """
    if stage.world.analyzer is None:
        raise InfrastructureError("there is no istioctl", "name one by --istioctl")
    found = stage.world.analyzer.run(stage.world.overlay.namespace("istio-egress"))
    prefix = stage.world.overlay.prefix
    return [one for one in found if all(name == prefix for name in _PREFIX.findall(f"{one.origin} {one.text}"))]


def analysis_problem(stage: RunningStage) -> str | None:
    """The findings in one line; None when there is none."""
    return "; ".join(str(found) for found in findings(stage)) or None


def selectors_without_pods(world: World) -> list[str]:
    """Peers of the egress rules in team-x, by labels, that select no running pod."""
    return [
        f"{policy['metadata']['name']}: {peer} selects no running pod"
        for policy in world.cluster.objects(_NETWORKING, "NetworkPolicy", world.overlay.namespace("team-x"))
        for rule in policy["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if "namespaceSelector" in peer and not _running(world, peer)
    ]


def _running(world: World, peer: dict[str, Any]) -> bool:
    namespaces = world.cluster.objects("v1", "Namespace", labels=_selector(peer["namespaceSelector"]))
    labels = _selector(peer.get("podSelector") or {})
    pods = (pod for one in namespaces for pod in world.cluster.pods(one["metadata"]["name"], labels))
    return any(pod.phase == "Running" for pod in pods)


def _selector(selector: dict[str, Any]) -> str:
    """A label selector in its text form."""
    parts = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    expressions = selector.get("matchExpressions", ())
    parts += [f"{one['key']} {one['operator'].lower()} ({','.join(one['values'])})" for one in expressions]
    return ",".join(parts)
