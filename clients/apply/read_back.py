"""Whether an object is still what was applied: another client of the API may have changed or deleted it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clients.apply.item import Accepted, Item
from clients.model.api_groups import ISTIO_EXTENSIONS, ISTIO_NETWORKING, ISTIO_SECURITY, ISTIO_TELEMETRY

Get = Callable[[str, str, str, str], dict[str, Any] | None]
"""Reads an object by API version, kind, name and namespace; None where it does not exist."""

_METADATA = ("labels", "annotations")
_NOT_STORED = frozenset({"stringData", "status"})
"""Fields that the API server does not keep as they were sent."""
_ENFORCED = frozenset({ISTIO_SECURITY, ISTIO_NETWORKING, ISTIO_TELEMETRY, ISTIO_EXTENSIONS, "networking.k8s.io"})
"""API groups of policies, routes and scopes, which no controller has a reason to change."""


def difference(item: Item, accepted: Accepted | None, get: Get) -> str:
    """How the object in the cluster differs from what was applied, in words; empty where it does not.

    An object with a generation has changed where that has grown, whatever it says now. Of any other, the fields that
    were applied are compared. Labels and annotations are compared of both: they do not count as a new generation. Of
    what the mesh or the network enforces, the fields are compared in any case: an admission webhook may have changed
    them as they were applied. Workloads are left to the cluster, which may set their images and resources.

    Args:
        accepted: what the API server answered to the last apply; None where that is not known.

    Raises:
        ClusterError: it cannot be read.
    """
    found = get(item.api_version, item.kind, item.name, item.namespace)
    if found is None:
        return "does not exist any more"
    meta = found["metadata"]
    if accepted and accepted.uid and meta.get("uid") != accepted.uid:
        return "was deleted and created again"
    fields = {name: value for name, value in item.body.items() if name not in ("apiVersion", "metadata", *_NOT_STORED)}
    sent = {**fields, "metadata": {name: item.body["metadata"].get(name) or {} for name in _METADATA}}
    generation = accepted.generation if accepted else None
    if generation is None:
        return _first(sent, found, "")
    changed = _first({"metadata": sent["metadata"]}, found, "")
    if not changed and meta.get("generation") == generation and _is_enforced(item):
        changed = _first(sent, found, "")
        return f"{changed}, as it was admitted" if changed else ""
    if meta.get("generation") != generation:
        changed = changed or _first(sent, found, "") or f"generation {meta.get('generation')}, not {generation}"
    return changed


def _is_enforced(item: Item) -> bool:
    return item.api_version.partition("/")[0] in _ENFORCED


def _first(sent: Any, found: Any, path: str) -> str:
    """The first of the values that were sent which is another one now."""
    if isinstance(sent, dict):
        if not isinstance(found, dict):
            found = {}
        inner = (_first(value, found.get(key), f"{path}.{key}" if path else str(key)) for key, value in sent.items())
        return next(filter(None, inner), "")
    if isinstance(sent, list):
        if not sent and not found:
            return ""  # the server leaves out an empty list of a kind of its own
        if not isinstance(found, list) or len(found) != len(sent):
            return f"{path} is {found}, not {sent}"
        inner = (_first(one, there, f"{path}[{n}]") for n, (one, there) in enumerate(zip(sent, found, strict=True)))
        return next(filter(None, inner), "")
    return "" if sent == found or (sent in ("", None) and not found) else f"{path} is {found!r}, not {sent!r}"
