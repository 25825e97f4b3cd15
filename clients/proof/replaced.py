"""Whether pods on the path of a failed request were taken away from outside: then the mesh is not why it failed.

Nodes are consolidated, drained, upgraded and reclaimed while a run works, and a server with one replica is away until
another one is ready. Only what differs from a mesh that is wrong counts:

- the failure is one that a missing server causes: no answer, or a proxy's 502, 503 or 504. A request that is let in,
  refused by a policy or answered by another server is never excused;
- a pod was deleted, evicted or replaced, or its node is gone, after this run had last changed anything there itself.
  A container that crashed and started again in its pod may be the mesh's doing.

It asks the API server a few times, where a case is about to fail in such a way, and never otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from clients.kube.fields import label_selector, labels_of
from clients.model.attempt import Attempt
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Verdict
from clients.model.probe import Probe
from clients.proof import proving
from clients.proof.rig.rig import Rig
from clients.proof.unserved import unserved

PODS = "pods"
HINT = "set annotations that keep them ([pods] annotations), use nodes that stay, or run again"
_SETTLING_S = 5.0
"""Seconds after a change by this run in which pods may still come and go for it; times of the API are whole seconds."""
_TEMPLATE = "pod-template-hash"
"""Label of a Deployment's pods by their template (Kubernetes, Deployments)."""
_DISRUPTED = "DisruptionTarget"
"""Condition of a pod that is evicted, preempted, or whose node is drained or gone (Kubernetes, Disruptions)."""
_ENDED_BY_NODE = frozenset({"Evicted", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "NodeLost"})
"""Reasons of a pod that the kubelet ended (Kubernetes, kubelet's eviction, node shutdown and preemption)."""


def excused(rig: Rig, probes: Iterable[Probe | None], attempts: Sequence[Attempt], evidence: Evidence) -> Evidence:
    """The evidence of a case; `inconclusive` where it fails and pods that its requests need went away from outside.

    Args:
        probes: the requests that failed; None for a request that was not made.
        attempts: theirs, in order: the last one that did not match must have failed as if no server was there.
    """
    if evidence.verdict is not Verdict.FAIL or not _none_there(attempts):
        return evidence
    gone = list(dict.fromkeys(text for probe in probes if probe for text in _gone(rig, probe)))
    if not gone:
        return evidence
    why = f"{'; '.join(gone[:3])}, not by this run: {HINT}"
    return proving.excused(evidence, why, proving.inconclusive(PODS, why))


def _none_there(attempts: Sequence[Attempt]) -> bool:
    """Whether all that failed since the last match did so as a request does whose server is missing."""
    last: list[Attempt] = []
    for attempt in reversed([one for one in attempts if one.ran]):
        if attempt.matched and last:
            break
        last += [] if attempt.matched else [attempt]
    return bool(last) and all(map(unserved, last))


def _gone(rig: Rig, probe: Probe) -> list[str]:
    """What happened to pods on the path of the probe, one text each; none where it cannot be looked at."""
    try:
        paths = rig.workloads.selectors(probe)
        ahead = rig.cluster.api.time() - time.monotonic() if paths else 0.0
        return [text for namespace, labels in paths for text in _gone_of(rig, namespace, labels, ahead)]
    except MeshproofError:
        return []


def _gone_of(rig: Rig, namespace: str, labels: Mapping[str, str], ahead: float) -> list[str]:
    """The same for the pods with these labels.

    Args:
        ahead: seconds by which the API server's clock is ahead of this process's monotonic one.
    """
    since = rig.settled_at(namespace) + _SETTLING_S
    selector = label_selector(labels)
    there = rig.cluster.objects("v1", "Pod", namespace, selector)
    uids = {body["metadata"].get("uid", "") for body in there}
    texts = [
        f"pod {pod} was deleted"
        for pod in rig.workloads.seen_ready(namespace, labels, since)
        if pod.uid not in uids and not _rolled_out(pod.name, pod.labels, there)
    ]
    new, left = [], 0
    for body in there:
        meta = body["metadata"]
        rolled_out = _rolled_out(meta["name"], labels_of(body), there)
        if _seconds(meta.get("creationTimestamp")) > since + ahead and not rolled_out:
            new.append(body)
        elif why := _taken(rig, body):
            texts.append(f"pod {_name(body)} {why}")
        elif "deletionTimestamp" not in meta:
            left += 1
        elif _asked_to_go_at(meta) > since + ahead and not rolled_out:
            texts.append(f"pod {_name(body)} is being deleted")
    if new and not texts and not left:
        texts = [f"pod {_name(body)} took the place of one that was deleted" for body in new]
    return texts


def _rolled_out(name: str, labels: Mapping[str, str], there: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there is a pod of another template of the same Deployment: eviction and the like make none.

    The names of its pods are those of the Deployment, of the template and of the pod.
    """
    deployment, template = name.rsplit("-", 2)[0], labels.get(_TEMPLATE)
    return any(
        template != labels_of(body).get(_TEMPLATE)
        for body in there
        if template and body["metadata"]["name"].rsplit("-", 2)[0] == deployment
    )


def _taken(rig: Rig, body: Mapping[str, Any]) -> str:
    """What took a pod away, by its own status or its node's; empty where nothing did."""
    status = body.get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    disrupted = conditions.get(_DISRUPTED, {})
    if disrupted.get("status") == "True":
        return f"was evicted ({disrupted.get('reason') or _DISRUPTED})"
    if status.get("phase") == "Failed" and status.get("reason") in _ENDED_BY_NODE:
        return f"was ended by its node ({status['reason']})"
    node = body.get("spec", {}).get("nodeName", "")
    ready = conditions.get("Ready", {}).get("status") == "True"
    return "" if ready or not node else _lost(rig.cluster.get("v1", "Node", node), node)


def _lost(found: Mapping[str, Any] | None, name: str) -> str:
    if found is None:
        return f"was on node {name}, which is gone"
    states = {one["type"]: one["status"] for one in found.get("status", {}).get("conditions") or ()}
    return "" if states.get("Ready") == "True" else f"is on node {name}, which is not ready"


def _asked_to_go_at(meta: Mapping[str, Any]) -> float:
    """When the deletion of an object was asked for; its own time is that at which it must have gone."""
    return _seconds(meta["deletionTimestamp"]) - float(meta.get("deletionGracePeriodSeconds") or 0)


def _seconds(stated: str | None) -> float:
    return datetime.fromisoformat(stated).timestamp() if stated else 0.0


def _name(body: Mapping[str, Any]) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"
