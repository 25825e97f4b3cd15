"""A rehearsal: both control planes of the cluster `canary` get the mesh that `meshproof like` has read from another."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGER
from clients.model.errors import ClusterError, MeshproofError
from testbed.like import ROOT_NAMESPACE, Carried, merged

START_S = 120.0
"""Time limit for both control planes to start again."""


def carry(kubeconfig: Path, carried: Carried, revisions: Iterable[str]) -> tuple[str, ...]:
    """Change the meshes of these revisions; returns what is not carried over, each with the reason.

    Raises:
        ClusterError: a control plane is not there, or does not start with what was carried over.
    """
    cluster = Cluster.connect(kubeconfig)
    try:
        names = list(revisions)
        for name in names:
            _mesh(cluster, carried, name)
        deadline = time.monotonic() + START_S
        for name in names:
            readiness.wait(cluster, _existing(cluster, "apps/v1", "Deployment", f"istiod-{name}"), deadline)
        refused = [line for body in carried.policies if (line := _refused(cluster, dict(body)))]
    finally:
        cluster.close()
    tags = [f"tag {tag}: the revisions of a rehearsal have names of their own" for tag in carried.tags]
    return (*carried.left, *tags, *refused)


def _mesh(cluster: Cluster, carried: Carried, revision: str) -> None:
    """MeshConfig, which istiod reads again by itself, and its variables, for which it starts again."""
    config = _existing(cluster, "v1", "ConfigMap", f"istio-{revision}")
    mesh = merged(yaml.safe_load(config["data"]["mesh"]), carried.mesh)
    text = {"data": {"mesh": yaml.safe_dump(mesh)}}
    cluster.patch("v1", "ConfigMap", config["metadata"]["name"], ROOT_NAMESPACE, text)
    if not carried.variables:
        return
    istiod = _existing(cluster, "apps/v1", "Deployment", f"istiod-{revision}")
    containers = istiod["spec"]["template"]["spec"]["containers"]
    own = [one for one in containers[0].get("env") or () if one["name"] not in carried.variables]
    more = [{"name": name, "value": value} for name, value in carried.variables.items()]
    containers[0]["env"] = [*own, *more]
    spec = {"spec": {"template": {"spec": {"containers": containers}}}}
    cluster.patch("apps/v1", "Deployment", istiod["metadata"]["name"], ROOT_NAMESPACE, spec)


def _existing(cluster: Cluster, api_version: str, kind: str, name: str) -> dict[str, Any]:
    body = cluster.get(api_version, kind, name, ROOT_NAMESPACE)
    if body is None:
        raise ClusterError(f"the {kind} {name} is missing in {ROOT_NAMESPACE}", "start the profile canary again")
    return body


def _refused(cluster: Cluster, body: dict[str, Any]) -> str:
    """Apply a policy; the reason why that is not possible with this version, else an empty text."""
    try:
        cluster.apply(body, manager=MANAGER)
    except MeshproofError as error:
        return f"{body['kind']} {body['metadata']['name']}: {error.message}"
    return ""
