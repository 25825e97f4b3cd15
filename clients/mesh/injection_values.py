"""What the ConfigMaps of injectors say of the pods that they make."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from clients.mesh import injection

CNI_TEMPLATE = "cni"
"""Injection template of the testbed whose pods do not need NET_ADMIN."""
_INJECTOR_MAP = "istio-sidecar-injector"


def unprivileged_template(maps: Iterable[dict[str, Any]], revision: str) -> str:
    """The injection template whose pods do not need NET_ADMIN: the testbed's, or Istio's own; empty for none.

    Args:
        maps: ConfigMaps of the control plane's namespace.
        revision: of the mesh; where it has no ConfigMap of its own, all injectors must agree.
    """
    named = {one["metadata"]["name"]: one.get("data") or {} for one in maps}
    own = named.get(_injector_map(revision))
    others = [data for name, data in named.items() if name.startswith(_INJECTOR_MAP)]
    injectors = [own] if own is not None else others
    if any(f"\n  {CNI_TEMPLATE}: |" in data.get("config", "") for data in injectors):
        return CNI_TEMPLATE
    values = [json.loads(data.get("values") or "{}") for data in injectors]
    return "sidecar" if values and all(_cni_enabled(one) for one in values) else ""


def _cni_enabled(values: dict[str, Any]) -> bool:
    """Istio's value `pilot.cni.enabled`; up to 1.23 `istio_cni.enabled`."""
    return bool(values.get("pilot", {}).get("cni", {}).get("enabled") or values.get("istio_cni", {}).get("enabled"))


def _injector_map(revision: str) -> str:
    """Name of the ConfigMap with the values of injection (Istio's chart `istiod`)."""
    return _INJECTOR_MAP if revision in ("", injection.DEFAULT) else f"{_INJECTOR_MAP}-{revision}"
