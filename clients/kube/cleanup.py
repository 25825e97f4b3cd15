"""Finds and deletes what runs left behind, by label, on any target."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.model.errors import AccessError, ClusterError

_MADE_BY_OTHERS = frozenset({"Endpoints", "EndpointSlice", "Event", "Pod", "ReplicaSet"})
"""Kinds that controllers make, with labels copied from their owner: they go when the owner goes."""


@dataclass(frozen=True)
class Leftover:
    """One object with the label of meshproof. `str()` reads `Namespace mp-x-mtls-client (run 20261122-…)`."""

    api_version: str
    kind: str
    namespace: str
    name: str
    run: str
    uid: str = ""

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name} (run {self.run or 'unknown'})"


def find(cluster: Cluster, run: str = "") -> list[Leftover]:
    """Everything labelled `app.kubernetes.io/managed-by=meshproof`, of one run or of all. Reads only.

    Namespaces first; what lies in one of them is not listed, as it goes with it.

    Raises:
        ClusterError: the kinds of the cluster cannot be read.
    """
    labels = f"{MANAGED_BY_LABEL}={MANAGER}" + (f",{RUN_LABEL}={run}" if run else "")
    found: dict[str, Leftover] = {}
    namespaces: set[str] = set()
    for api_version, kind in _kinds(cluster):
        for body in _list(cluster, api_version, kind, labels):
            meta = body["metadata"]
            if meta.get("ownerReferences") or meta.get("namespace") in namespaces:
                continue
            if kind == "Namespace":
                namespaces.add(meta["name"])
            found.setdefault(meta["uid"], _leftover(api_version, kind, meta))
    return list(found.values())


def cleanup(
    cluster: Cluster,
    run: str = "",
    *,
    on_removed: Callable[[Leftover], None] = lambda _: None,
    timeout_s: float = 120.0,
) -> list[Leftover]:
    """Delete what `find` finds and wait until it is gone; returns what was removed.

    Mesh-wide policies and everything outside of namespaces go first: they concern others.

    Raises:
        ClusterError: something could not be deleted, or is still there after `timeout_s`.
    """
    leftovers = sorted(find(cluster, run), key=lambda leftover: leftover.kind == "Namespace")
    problems = []
    for leftover in leftovers:
        try:
            cluster.delete(leftover.api_version, leftover.kind, leftover.name, leftover.namespace, uid=leftover.uid)
        except ClusterError as error:
            problems.append(f"{leftover}: {error.message}")
    removed, deadline = [], time.monotonic() + timeout_s
    for leftover in leftovers if not problems else ():
        if readiness.poll(partial(_gone, cluster, leftover), deadline):
            removed.append(leftover)
            on_removed(leftover)
        else:
            problems.append(f"{leftover} is still there after {timeout_s:g} s")
    if problems:
        raise ClusterError("; ".join(problems), "see what holds it: finalizers, or a missing permission")
    return removed


def _kinds(cluster: Cluster) -> list[tuple[str, str]]:
    """(apiVersion, kind) of everything that can be listed and deleted, Namespace first, each kind in one version."""
    kinds: dict[tuple[str, str], str] = {}
    groups = cluster.api.json("GET", "/apis")["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    for version in versions:
        path = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        for resource in _resources(cluster, path):
            if {"list", "delete"} <= set(resource["verbs"]) and resource["kind"] not in _MADE_BY_OTHERS:
                kinds.setdefault((version.rpartition("/")[0], resource["kind"]), version)
    found = [(version, kind) for (_, kind), version in kinds.items()]
    return sorted(found, key=lambda pair: pair != ("v1", "Namespace"))


def _resources(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """Resources of one API version; an aggregated API that is down is left out."""
    try:
        resources: list[dict[str, Any]] = cluster.api.json("GET", path)["resources"]
    except AccessError:
        raise
    except ClusterError:
        return []
    return [resource for resource in resources if "/" not in resource["name"]]


def _list(cluster: Cluster, api_version: str, kind: str, labels: str) -> list[dict[str, Any]]:
    """Objects of one kind; none where this identity may not list it: such an identity could not have made them."""
    try:
        return cluster.objects(api_version, kind, labels=labels)
    except ClusterError:
        return []


def _gone(cluster: Cluster, leftover: Leftover) -> bool:
    found = cluster.get(leftover.api_version, leftover.kind, leftover.name, leftover.namespace)
    return found is None or found["metadata"]["uid"] != leftover.uid


def _leftover(api_version: str, kind: str, meta: dict[str, Any]) -> Leftover:
    run = meta.get("labels", {}).get(RUN_LABEL, "")
    return Leftover(api_version, kind, meta.get("namespace", ""), meta["name"], run, meta["uid"])
