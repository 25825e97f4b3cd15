"""What the mesh deploys for a Gateway of Kubernetes' API, and how it is to differ (`spec.infrastructure`, GEP-1867)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.model.api_groups import GATEWAY_API


def is_gateway(body: Mapping[str, Any]) -> bool:
    """Whether the mesh deploys something for it."""
    return body["kind"] == "Gateway" and str(body["apiVersion"]).startswith(f"{GATEWAY_API}/")


def name_of(body: Mapping[str, Any]) -> str:
    """Name of the ConfigMap that has what the pods of a Gateway need."""
    return f"{body['metadata']['name']}-pods"


def reference(body: Mapping[str, Any]) -> Mapping[str, str]:
    """The reference of a Gateway to a ConfigMap with what its pods need; empty where it has none."""
    return _infrastructure(body).get("parametersRef") or {}


def with_infrastructure(body: dict[str, Any], what: str, more: Mapping[str, str]) -> dict[str, Any]:
    """A Gateway with more `labels`, `annotations` or `parametersRef` of what is deployed for it."""
    infrastructure = _infrastructure(body)
    merged = {**(infrastructure.get(what) or {}), **more}
    return {**body, "spec": {**(body.get("spec") or {}), "infrastructure": {**infrastructure, what: merged}}}


def with_defaults(body: dict[str, Any], what: str, defaults: Mapping[str, str]) -> dict[str, Any]:
    """The same, where what the Gateway states itself is kept."""
    return with_infrastructure(body, what, {**defaults, **(_infrastructure(body).get(what) or {})})


def with_parameters(body: dict[str, Any]) -> dict[str, Any]:
    """A Gateway that refers to the ConfigMap of that name, unless it refers to another."""
    return with_defaults(body, "parametersRef", {"group": "", "kind": "ConfigMap", "name": name_of(body)})


def _infrastructure(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("spec") or {}).get("infrastructure") or {}
