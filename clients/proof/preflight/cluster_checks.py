"""Checks of the cluster itself: its clocks, its nodes, its pod security, and whether it can pull images."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.cluster_time import ClusterTime
from clients.kube.exec import exec_once
from clients.kube.labels import MANAGER
from clients.kube.pods import Pod
from clients.model.errors import ClusterError, MeshproofError
from clients.proof.preflight.shown import CheckName, Shown, Tried

_CLIENTS = {"client", "outsider"}
"""Apps of the canary's pods that run a shell, and their containers."""
IMAGES_S = 60.0
"""Limit for the pull of all images."""
IMAGES_HINT = "image_prefix names a mirror, pods.pull_secret a Secret for it, images.<name> another image"
_POLL_S = 0.5
SKEW_S = 5.0
"""Clocks that differ by more are named."""
NODES_SKEW_S = 240.0
"""A token that expired 5 min ago is good for a proxy whose clock is behind by more: Envoy allows for 60 s."""


def clock(cluster: Cluster) -> Tried:
    """The API server's clock against this machine's, on which no verdict depends."""
    before = time.time()
    try:
        skew = cluster.api.time() - (before + time.time()) / 2
    except MeshproofError as error:
        return Tried(CheckName.CLOCK, False, error.message)
    hint = (
        "no verdict depends on it, as tokens and certificates are made by the API server's; times in reports and the "
        "renewal of credentials go by this machine's: set it by NTP"
    )
    return Tried(CheckName.CLOCK, abs(skew) <= SKEW_S, f"the API server's differs by {abs(skew):.0f} s", hint)


def node_clocks(cluster: Cluster, pods: Mapping[str, Pod]) -> Iterator[Tried]:
    """The clocks of the nodes of the clients among these pods; nothing where these differ little, or cannot be read."""
    skews: list[float] = []
    for name in _CLIENTS & pods.keys():
        try:
            printed = exec_once(cluster, pods[name], name, ["date", "+%s"], timeout_s=10.0).stdout
            skews.append(float(printed) - ClusterTime.read(cluster).now())
        except (MeshproofError, ValueError):
            continue
    worst = max(skews, key=abs, default=0.0)
    if abs(worst) <= SKEW_S:
        return
    detail = f"that of a node is {abs(worst):.0f} s {'ahead of' if worst > 0 else 'behind'} the API server's"
    hint = "set the nodes' clocks by NTP: proxies judge tokens and certificates by them"
    if -worst > NODES_SKEW_S:
        hint += "; cases of a token that has just expired fail, and not by the mesh"
    yield Tried(CheckName.NODE_CLOCKS, False, detail, hint)


def nodes(cluster: Cluster) -> Tried:
    """Whether all nodes have one architecture."""
    try:
        there = cluster.objects("v1", "Node")
    except ClusterError as error:
        return Tried(CheckName.NODES, False, f"not known: {error.message}", "let the identity list nodes")
    found = sorted({node.get("status", {}).get("nodeInfo", {}).get("architecture", "?") for node in there})
    hint = "choose nodes of one by pods.node_selector: images may not exist for all"
    return Tried(CheckName.NODES, len(found) == 1, f"{len(there)}, of {' and '.join(found)}", hint)


def images(
    look: Callable[[], Mapping[str, str]],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Tried:
    """Whether all images can be pulled, in time.

    Args:
        look: what `not_pulled` has of the pod now.
    """
    deadline = clock() + IMAGES_S
    while waiting := look():
        if clock() >= deadline or any(waiting.values()):
            break
        sleep(_POLL_S)
    if not waiting:
        return Tried(CheckName.IMAGES, True, "all of them can be pulled")
    listed = "; ".join(f"{name}: {reason or 'not yet pulled'}" for name, reason in sorted(waiting.items()))
    return Tried(CheckName.IMAGES, False, listed[:600], IMAGES_HINT)


def not_pulled(pod: dict[str, Any]) -> dict[str, str]:
    """Container → why its image could not be pulled, empty where that is still to come; of those that lack it."""
    containers = {one["name"] for one in pod.get("spec", {}).get("containers", ())}
    pulled, failed = set(), {}
    for one in pod.get("status", {}).get("containerStatuses") or ():
        waiting = one.get("state", {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason.startswith(("ErrImage", "ImagePull", "InvalidImage", "ErrPull")):
            failed[one["name"]] = f"{reason} {waiting.get('message', '')}".strip()[:160]
        elif one.get("imageID") or one.get("state", {}).get("terminated") or reason.endswith("Error"):
            pulled.add(one["name"])
    return {name: failed.get(name, "") for name in containers - pulled}


def pod_security(cluster: Cluster, deployment: Mapping[str, Any]) -> Shown | None:
    """Whether new namespaces enforce the level `restricted`; None where a pod without a seccomp profile is accepted.

    The pods of gateways that Istio deploys for the Gateway API state no such profile.

    Args:
        deployment: one whose pods comply.
    """
    template = copy.deepcopy(deployment["spec"]["template"])
    template["spec"]["securityContext"].pop("seccompProfile")
    meta = {**deployment["metadata"], "name": "without-seccomp-profile"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    try:
        cluster.apply(pod, manager=MANAGER, dry_run=True)
    except ClusterError as error:
        if "violates PodSecurity" not in error.message:
            return None
        detail = "new namespaces enforce the level restricted, and pods of gateways that Istio deploys do not comply"
        hint = "set a lower level by [namespaces] labels, where the cluster allows it"
        return Shown((Tried(CheckName.POD_SECURITY, True, detail, hint),), deploys_gateways=False)
    return None
