"""The configuration of the mesh itself: Istio's ConfigMap `istio`, one for each revision (`istio-<revision>`)."""

from __future__ import annotations

from typing import Any

import yaml

from clients.kube.cluster import Cluster

EXT_AUTHZ_HOST = "ext-authz.meshproof.test"
"""Host that a provider of external authorization must name to be ours: a ServiceEntry of the suite gives it pods.

A mesh configures its providers once, while a run's namespaces are new every time."""


def read(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """The mesh configurations of a root namespace, one for each revision; one that is not YAML is left out.

    Raises:
        ClusterError: this identity may not read them.
    """
    maps = cluster.objects("v1", "ConfigMap", namespace)
    texts = [one.get("data", {}).get("mesh", "") for one in maps if one["metadata"]["name"].split("-")[0] == "istio"]
    return [found for text in texts if (found := _parsed(text))]


def logs_access(meshes: list[dict[str, Any]]) -> bool:
    """Whether one of them names the access log that `kubectl logs` shows."""
    return any(mesh.get("accessLogFile") == "/dev/stdout" for mesh in meshes)


def ext_authz_provider(meshes: list[dict[str, Any]]) -> str:
    """Name of the provider of external authorization by HTTP whose server is `EXT_AUTHZ_HOST`; empty for none."""
    for mesh in meshes:
        for provider in mesh.get("extensionProviders") or ():
            service = str((provider.get("envoyExtAuthzHttp") or {}).get("service", ""))
            if service.rpartition("/")[2] == EXT_AUTHZ_HOST:
                return str(provider["name"])
    return ""


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
