"""What the state controls of this topic check: findings of the analysis, selectors of network policies."""

from __future__ import annotations

import re
from typing import Any

from clients.apply.overlay import MESH_NAMESPACE
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL, WORKER_LABEL
from clients.mesh import proxyconfig
from clients.mesh.istioctl import Message
from clients.mesh.proxyconfig import Dump
from clients.model.errors import InfrastructureError
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage

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
    rig = stage.rig
    if rig.analyzer is None:
        raise InfrastructureError("there is no istioctl", "name one by --istioctl")
    found = rig.analyzer.run(rig.overlay.namespace("istio-egress"))
    ours = {MESH_NAMESPACE, *map(rig.overlay.namespace, rig.overlay.namespaces)}
    there = rig.cluster.objects("v1", "Namespace")
    users = {one["metadata"]["name"] for one in there if not _is_of_a_run(one)} - ours
    return [one for one in found if not _names_others(f"{one.origin} {one.text}", rig.overlay.prefix, users)]


def _names_others(text: str, prefix: str, users: set[str]) -> bool:
    """Whether a finding names an object of another process, or of a namespace that no run made."""
    return any(name != prefix for name in _PREFIX.findall(text)) or not users.isdisjoint(_OBJECT.findall(text))


def analysis_problem(stage: RunningStage) -> str | None:
    """The findings in one line; None when there is none."""
    return "; ".join(str(found) for found in findings(stage)) or None


def registered(rig: Rig, dump: Dump) -> set[str]:
    """Hosts outside the cluster that a proxy knows, each with its port: `example.com:80`."""
    inside = f".svc.{rig.mesh.cluster_domain}"
    names = (name.split("|") for name in proxyconfig.outbound(dump))
    return {f"{host}:{port}" for _, port, _, host in names if not host.endswith(inside)}


def at_both_ports(*hosts: str) -> set[str]:
    """What registers each of these hosts for HTTP and TLS, and no more (see `registered`)."""
    return {f"{host}:{port}" for host in hosts for port in (80, 443)}


def selectors_without_pods(rig: Rig) -> list[str]:
    """Peers of the egress rules in team-x, by labels, that select no running pod of this process or of the cluster."""
    return [
        f"{policy['metadata']['name']}: {peer} selects no running pod"
        for policy in rig.cluster.objects(_NETWORKING, "NetworkPolicy", rig.overlay.namespace("team-x"))
        for rule in policy["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if "namespaceSelector" in peer and not _running(rig, peer)
    ]


def _running(rig: Rig, peer: dict[str, Any]) -> bool:
    selected = rig.cluster.objects("v1", "Namespace", labels=_selector(peer["namespaceSelector"]))
    namespaces = [one for one in selected if not _is_of_a_run(one) or _is_ours(rig, one)]
    labels = _selector(peer.get("podSelector") or {})
    pods = (pod for one in namespaces for pod in rig.cluster.pods(one["metadata"]["name"], labels))
    return any(pod.phase == "Running" for pod in pods)


def _is_of_a_run(namespace: dict[str, Any]) -> bool:
    return bool(namespace["metadata"].get("labels", {}).get(MANAGED_BY_LABEL) == MANAGER)


def _is_ours(rig: Rig, namespace: dict[str, Any]) -> bool:
    labels = namespace["metadata"]["labels"]
    return (labels.get(RUN_LABEL), labels.get(WORKER_LABEL)) == (rig.overlay.run, rig.overlay.worker)


def _selector(selector: dict[str, Any]) -> str:
    """A label selector in its text form."""
    parts = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    expressions = selector.get("matchExpressions", ())
    parts += [f"{one['key']} {one['operator'].lower()} ({','.join(one['values'])})" for one in expressions]
    return ",".join(parts)
