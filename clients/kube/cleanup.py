"""Finds and deletes what runs left behind, by label, on any target."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.kube.stuck import why_it_stays
from clients.model.errors import AccessError, ClusterError

_MADE_BY_OTHERS = frozenset({"Endpoints", "EndpointSlice", "Event", "Pod", "ReplicaSet"})
"""Kinds that controllers create, with labels copied from the owner. They are deleted with it."""


@dataclass(frozen=True)
class Leftover:
    """One object with the label of meshproof. `str()` reads `Namespace mp-x-mtls-client (run 20261122-…)`."""

    api_version: str
    kind: str
    namespace: str
    name: str
    run: str
    uid: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Its identity in the cluster."""
        return self.api_version, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name} (run {self.run or 'unknown'})"


Made = Mapping[tuple[str, str], str]
"""(group, resource) of what a run can have made, and the namespace in which; empty for any."""


def find(cluster: Cluster, run: str = "", *, made: Made | None = None) -> list[Leftover]:
    """Everything labelled `app.kubernetes.io/managed-by=meshproof`, of one run or of all. Reads only.

    Namespaces come first; objects inside them are not listed, since they are deleted with them.

    Args:
        made: look for nothing else; None looks for every kind that the cluster knows, as an administrator can.

    Raises:
        ClusterError: the kinds of the cluster, or the objects of a kind in `made`, cannot be read.
    """
    labels = f"{MANAGED_BY_LABEL}={MANAGER}" + (f",{RUN_LABEL}={run}" if run else "")
    found: dict[str, Leftover] = {}
    namespaces: set[str] = set()
    for api_version, kind, namespace in _kinds(cluster, made):
        for body in _list(cluster, api_version, kind, namespace, labels, sure=made is not None):
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
    made: Made | None = None,
    on_removed: Callable[[Leftover], None] = lambda _: None,
    timeout_s: float = 120.0,
) -> list[Leftover]:
    """Delete what `find` finds and wait until it is gone; returns what was removed.

    Mesh-wide policies and everything outside of namespaces are deleted first: they affect others.

    Raises:
        ClusterError: something could not be deleted, or is still there after `timeout_s`.
    """
    leftovers = sorted(find(cluster, run, made=made), key=lambda leftover: leftover.kind == "Namespace")
    problems = []
    for leftover in leftovers:
        try:
            cluster.delete(leftover.api_version, leftover.kind, leftover.name, leftover.namespace, uid=leftover.uid)
        except ClusterError as error:
            problems.append(f"{leftover}: {error.message}")
    removed, deadline = [], time.monotonic() + timeout_s
    for leftover in leftovers if not problems else ():
        if readiness.wait_gone(cluster, leftover.key, leftover.uid, deadline):
            removed.append(leftover)
            on_removed(leftover)
        else:
            why = why_it_stays(_found(cluster, leftover))
            problems.append(f"{leftover} is still there after {timeout_s:g} s{why}")
    if problems:
        raise ClusterError("; ".join(problems), "see what holds it: finalizers, or a missing permission")
    return removed


def _kinds(cluster: Cluster, made: Made | None) -> list[tuple[str, str, str]]:
    """(apiVersion, kind, namespace) of what can be listed and deleted, Namespace first, each kind in one version."""
    kinds: dict[tuple[str, str], tuple[str, str]] = {}
    groups = cluster.api.json("GET", "/apis")["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    wanted = None if made is None else {group for group, _ in made}
    for version in versions:
        group = version.rpartition("/")[0]
        if wanted is not None and group not in wanted:
            continue
        for resource in _resources(cluster, f"/apis/{version}" if group else f"/api/{version}"):
            if made is not None and (group, resource["name"]) not in made:
                continue
            if {"list", "delete"} <= set(resource["verbs"]) and resource["kind"] not in _MADE_BY_OTHERS:
                namespace = made[group, resource["name"]] if made else ""
                kinds.setdefault((group, resource["kind"]), (version, namespace))
    found = [(version, kind, namespace) for (_, kind), (version, namespace) in kinds.items()]
    return sorted(found, key=lambda one: one[:2] != ("v1", "Namespace"))


def _resources(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    """Resources of one API version; an aggregated API that is down is left out."""
    try:
        resources: list[dict[str, Any]] = cluster.api.json("GET", path)["resources"]
    except AccessError:
        raise
    except ClusterError:
        return []
    return [resource for resource in resources if "/" not in resource["name"]]


def _list(
    cluster: Cluster, api_version: str, kind: str, namespace: str, labels: str, *, sure: bool
) -> list[dict[str, Any]]:
    """Objects of one kind; none where this identity may not list it: such an identity could not have made them.

    Args:
        sure: any other failure is an error; else it counts as none, as aggregated APIs come and go.
    """
    try:
        return cluster.objects(api_version, kind, namespace, labels=labels)
    except AccessError:
        return []
    except ClusterError:
        if sure:
            raise
        return []


def _found(cluster: Cluster, leftover: Leftover) -> dict[str, Any] | None:
    return cluster.get(leftover.api_version, leftover.kind, leftover.name, leftover.namespace)


def _leftover(api_version: str, kind: str, meta: dict[str, Any]) -> Leftover:
    run = meta.get("labels", {}).get(RUN_LABEL, "")
    return Leftover(api_version, kind, meta.get("namespace", ""), meta["name"], run, meta["uid"])
