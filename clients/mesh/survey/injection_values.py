"""What the ConfigMaps of injectors say of the pods that they make."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from clients.mesh.survey import injection

CNI_TEMPLATE = "cni"
"""Injection template of the testbed whose pods do not need NET_ADMIN."""
_INJECTOR_MAP = "istio-sidecar-injector"


def unprivileged_template(maps: Iterable[dict[str, Any]], revision: str) -> str:
    """The injection template whose pods do not need NET_ADMIN: the testbed's, or Istio's own; empty for none.

    Args:
        maps: ConfigMaps of the control plane's namespace.
        revision: of the mesh; where it has no ConfigMap of its own, all injectors must agree.
    """
    injectors = _injectors(maps, revision)
    if any(f"\n  {CNI_TEMPLATE}: |" in data.get("config", "") for data in injectors):
        return CNI_TEMPLATE
    values = _values(injectors)
    return "sidecar" if values and all(_cni_enabled(one) for one in values) else ""


def proxy_image(maps: Iterable[dict[str, Any]], revision: str) -> str:
    """The image of the proxies that are injected; empty where no injector states it, or they differ."""
    found = {_image(one.get("global") or {}) for one in _values(_injectors(maps, revision))}
    return found.pop() if len(found) == 1 else ""


def _image(stated: dict[str, Any]) -> str:
    """As Istio's template has it: a name with a slash is a whole reference."""
    image = str((stated.get("proxy") or {}).get("image") or "")
    return image if "/" in image or not image else f"{stated.get('hub')}/{image}:{stated.get('tag')}"


def _injectors(maps: Iterable[dict[str, Any]], revision: str) -> list[dict[str, Any]]:
    """The data of the revision's own ConfigMap, or else of all injectors."""
    named = {one["metadata"]["name"]: one.get("data") or {} for one in maps}
    own = named.get(_injector_map(revision))
    others = [data for name, data in named.items() if name.startswith(_INJECTOR_MAP)]
    return [own] if own is not None else others


def _values(injectors: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(data.get("values") or "{}") for data in injectors]


def _cni_enabled(values: dict[str, Any]) -> bool:
    """Istio's value `pilot.cni.enabled`; up to 1.23 `istio_cni.enabled`."""
    return bool(values.get("pilot", {}).get("cni", {}).get("enabled") or values.get("istio_cni", {}).get("enabled"))


def _injector_map(revision: str) -> str:
    """Name of the ConfigMap with the values of injection (Istio's chart `istiod`)."""
    return _INJECTOR_MAP if revision in ("", injection.DEFAULT) else f"{_INJECTOR_MAP}-{revision}"
