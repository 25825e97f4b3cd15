"""What the state controls of this topic look at: the findings of the analysis, the selectors of network policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clients.analyze import Message, analyze

from clients.stage import RunningStage
from clients.world import World
from runner.handover import Handover


def findings(stage: RunningStage, handover: Handover) -> list[Message]:
    """What `istioctl analyze` finds in the egress namespace.

    Raises:
        InfrastructureError: it did not run.
    """
    namespace = stage.world.overlay.namespace("istio-egress")
    kubeconfig = Path(handover.kubeconfig) if handover.kubeconfig else None
    return analyze(Path(handover.istioctl), kubeconfig, handover.context, namespace)


def analysis_problem(stage: RunningStage, handover: Handover) -> str | None:
    """The findings in one line; None when there is none."""
    return "; ".join(f"{found.code} {found.origin}: {found.text}" for found in findings(stage, handover)) or None


def selectors_without_pods(world: World) -> list[str]:
    """Peers of the egress rules in team-x, by labels, that select no running pod."""
    lost = []
    for policy in world.cluster.objects(_NETWORKING, "NetworkPolicy", world.overlay.namespace("team-x")):
        for peer in (peer for rule in policy["spec"].get("egress", ()) for peer in rule.get("to", ())):
            if "namespaceSelector" in peer and not _running(world, peer):
                lost.append(f"{policy['metadata']['name']}: {peer} selects no running pod")
    return lost


_NETWORKING = "networking.k8s.io/v1"


def _running(world: World, peer: dict[str, Any]) -> bool:
    namespaces = world.cluster.objects("v1", "Namespace", labels=_selector(peer["namespaceSelector"]))
    labels = _selector(peer.get("podSelector") or {})
    pods = (pod for one in namespaces for pod in world.cluster.pods(one["metadata"]["name"], labels))
    return any(pod.phase == "Running" for pod in pods)


def _selector(selector: dict[str, Any]) -> str:
    """A label selector in its text form."""
    parts = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    for one in selector.get("matchExpressions", ()):
        parts.append(f"{one['key']} {one['operator'].lower()} ({','.join(one['values'])})")
    return ",".join(parts)
