"""Which cluster this is, by what no two of them share, and which images its mesh and its nodes run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from clients.kube.cluster import Cluster
from clients.model.errors import MeshproofError


def uid(cluster: Cluster) -> str:
    """Of the namespace `kube-system`, which lives as long as its cluster; empty where it cannot be read."""
    with suppress(MeshproofError):
        found = cluster.get("v1", "Namespace", "kube-system") or {}
        return str(found.get("metadata", {}).get("uid", ""))
    return ""


def nodes(cluster: Cluster) -> str:
    """What its nodes run: `Debian GNU/Linux 12, kernel 6.1.0, containerd://1.7.2, kubelet v1.34.4`; each once.

    Empty where nodes cannot be read. How many there are is left out: autoscalers change it every night.
    """
    with suppress(MeshproofError):
        return "; ".join(sorted({_runs(one) for one in cluster.objects("v1", "Node")} - {""}))
    return ""


def _runs(node: Mapping[str, Any]) -> str:
    info = (node.get("status") or {}).get("nodeInfo") or {}
    kernel = info.get("kernelVersion")
    kubelet = info.get("kubeletVersion")
    parts = (
        info.get("osImage"),
        f"kernel {kernel}" if kernel else "",
        info.get("containerRuntimeVersion"),
        f"kubelet {kubelet}" if kubelet else "",
    )
    return ", ".join(str(part) for part in parts if part)


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
