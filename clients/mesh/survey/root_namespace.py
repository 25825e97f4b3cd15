"""The root namespace of a mesh: the one that the user states is compared with the cluster before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clients.kube.cluster import Cluster
from clients.model.errors import AccessError, SettingsError


def chosen(cluster: Cluster, stated: str, configurations: Iterable[Mapping[str, Any]], control_namespace: str) -> str:
    """The one stated by the user, else by the mesh's configuration (`rootNamespace`), else the control plane's own.

    Raises:
        SettingsError: the user's does not exist, or the mesh's configuration states another one. A policy for the whole
            mesh would apply to that namespace only, and the mesh would be blamed for it.
    """
    own = next(filter(None, (str(one.get("rootNamespace") or "") for one in configurations)), "")
    if stated:
        _require(cluster, stated, own)
    return stated or own or control_namespace


def _require(cluster: Cluster, stated: str, own: str) -> None:
    hint = f"leave it out: the mesh's own is {own}" if own else "name the one whose policies apply to the whole mesh"
    if own and stated != own:
        raise SettingsError(f"root_namespace is {stated}, and the mesh's configuration states another one", hint)
    try:
        there = cluster.get("v1", "Namespace", stated) is not None
    except AccessError:
        return  # this identity may not look
    if not there:
        raise SettingsError(f"root_namespace names {stated}, a namespace that does not exist", hint)
