"""The form of a file that `meshproof like` writes: people change it by hand, and a MeshConfig is plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MAPPINGS = frozenset({
    "defaultConfig", "defaultProviders", "defaultHttpRetryPolicy", "inboundTrafficPolicy", "localityLbSetting",
    "meshMTLS", "outboundTrafficPolicy", "pathNormalization", "tcpKeepalive", "tlsDefaults",
})  # fmt: skip
_LISTS = frozenset({
    "caCertificates", "certificates", "configSources", "defaultDestinationRuleExportTo", "defaultServiceExportTo",
    "defaultVirtualServiceExportTo", "discoverySelectors", "extensionProviders", "serviceSettings",
    "trustDomainAliases",
})  # fmt: skip
"""Fields of MeshConfig that are messages, and those that are repeated (Istio's reference of MeshConfig)."""
_SCALARS = (str, int, float)


def misfit(data: Mapping[str, Any]) -> str:
    """The first part that has another form than it must have, such as `revision.tags`; empty where there is none."""
    return next(_misfits(data), "")


def _misfits(data: Mapping[str, Any]) -> Iterator[str]:
    parts = (("meshConfig", dict), ("istiod", dict), ("revision", dict), ("policies", list), ("notRead", list))
    for name, kind in parts:
        stated = data.get(name)
        if not isinstance(stated, kind | None) or (isinstance(stated, dict) and not _has_names(stated)):
            yield name
    yield from _of_mesh(data.get("meshConfig") or {})
    for name, value in (data.get("istiod") or {}).items():
        if not isinstance(value, _SCALARS):
            yield f"istiod.{name}"
    yield from _of_revision(data.get("revision") or {})
    if not all(_is_object(body) for body in data.get("policies") or ()):
        yield "policies"
    if not _is_list(data.get("notRead"), _SCALARS):
        yield "notRead"


def _of_mesh(mesh: Mapping[str, Any]) -> Iterator[str]:
    for name, value in mesh.items():
        is_mapping = isinstance(value, dict) and _has_names(value)
        wrong = (name in _MAPPINGS and not is_mapping) or (name in _LISTS and not isinstance(value, list))
        if wrong and value is not None:
            yield f"meshConfig.{name}"
    for one in mesh.get("extensionProviders") or ():
        if not (isinstance(one, dict) and isinstance(one.get("name"), str) and _has_names(one)):
            yield "meshConfig.extensionProviders"


def _of_revision(revision: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(revision.get("name"), (*_SCALARS, type(None))):
        yield "revision.name"
    for name in ("tags", "others"):
        if not _is_list(revision.get(name), _SCALARS):
            yield f"revision.{name}"


def _is_object(body: Any) -> bool:
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict) or not _has_names(body):
        return False
    names = (body["metadata"].get("name"), body.get("apiVersion"), body.get("kind"))
    return all(one and isinstance(one, str) for one in names) and isinstance(body.get("spec"), dict | None)


def _is_list(value: Any, of: tuple[type, ...]) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, of) for one in value))


def _has_names(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, str) for key in value)
