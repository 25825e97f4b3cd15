"""Which cluster this is, and which images its mesh runs, by what no two of them share."""

from __future__ import annotations

from contextlib import suppress

from clients.kube.cluster import Cluster
from clients.model.errors import MeshproofError


def uid(cluster: Cluster) -> str:
    """Of the namespace `kube-system`, which lives as long as its cluster; empty where it cannot be read."""
    with suppress(MeshproofError):
        found = cluster.get("v1", "Namespace", "kube-system") or {}
        return str(found.get("metadata", {}).get("uid", ""))
    return ""


def images(cluster: Cluster, root: str) -> dict[str, str]:
    """Container of the control plane → its image, by digest where the node knows one; empty where none can be read.

    Args:
        root: the mesh's root namespace.
    """
    found: dict[str, str] = {}
    with suppress(MeshproofError):
        for pod in cluster.objects("v1", "Pod", root, labels="app=istiod"):
            for one in pod.get("status", {}).get("containerStatuses") or ():
                found[f"control plane {one.get('name')}"] = str(one.get("imageID") or one.get("image"))
    return found
