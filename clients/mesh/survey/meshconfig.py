"""The configuration of the mesh itself: Istio's ConfigMap `istio`, one for each revision (`istio-<revision>`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from clients.mesh.survey.injection import DEFAULT

LOG_PROVIDER = "envoy"
"""Provider of every mesh that writes Istio's default format to standard output (Istio, "Envoy Access Logs")."""
STDOUT = "/dev/stdout"
"""File of the log that `kubectl logs` shows."""
EXT_AUTHZ_HOST = "ext-authz.meshproof.test"
"""Host that a provider of external authorization must name to be ours: a ServiceEntry of the suite gives it pods.

A mesh configures its providers once, while a run's namespaces are new every time."""


def of_revision(maps: Iterable[Mapping[str, Any]], revision: str = "") -> list[dict[str, Any]]:
    """The configuration of a revision of the mesh, in ConfigMaps of its namespace; one that is not YAML is left out.

    It is in the ConfigMap `istio-<revision>` (`istio` for the default one), of which a second one may hold what a user
    may change (`istio-shared-configmap-<revision>` of AKS). Where there is none of these names, every ConfigMap counts
    that has such a configuration.
    """
    texts = {one["metadata"]["name"]: text for one in maps if (text := (one.get("data") or {}).get("mesh"))}
    own = {name: text for name, text in texts.items() if name in _names(revision)}
    return [found for text in (own or texts).values() if (found := _parsed(text))]


def is_of(maps: Iterable[Mapping[str, Any]], revision: str) -> bool:
    """Whether one of the ConfigMaps has the name of a revision's configuration."""
    return any(one["metadata"]["name"] in _names(revision) for one in maps)


def _names(revision: str) -> tuple[str, ...]:
    if revision in ("", DEFAULT):
        return ("istio", "istio-shared-configmap")
    return (f"istio-{revision}", f"istio-shared-configmap-{revision}")


def logs_access(meshes: list[dict[str, Any]]) -> bool:
    """Whether one of them names the access log that `kubectl logs` shows, and none names providers, which come first.

    Source: Istio's reference of MeshConfig, `defaultProviders`.
    """
    providers = {name for mesh in meshes for name in (mesh.get("defaultProviders") or {}).get("accessLogging") or ()}
    if providers:
        return LOG_PROVIDER in providers
    return any(mesh.get("accessLogFile") == STDOUT for mesh in meshes)


def has_own_format(meshes: list[dict[str, Any]]) -> bool:
    """Whether the access log has a format of the user's: the mesh's own, or that of a provider of the usual name."""
    return any(mesh.get("accessLogFormat") or any(map(_is_otherwise, _providers(mesh))) for mesh in meshes)


def _providers(mesh: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(mesh.get("extensionProviders") or ())


def _is_otherwise(provider: Mapping[str, Any]) -> bool:
    """Whether it is the provider of Istio's own log by its name alone: a mesh may define another one so."""
    log = provider.get("envoyFileAccessLog") or {}
    otherwise = log.get("logFormat") or log.get("path", STDOUT) != STDOUT
    return provider.get("name") == LOG_PROVIDER and bool(otherwise)


def auto_mtls_is_off(mesh: Mapping[str, Any]) -> bool:
    """Whether sidecars use mutual TLS only where a DestinationRule states it (Istio, MeshConfig, `enableAutoMtls`)."""
    return str(mesh.get("enableAutoMtls", True)).lower() == "false"


DNS_CAPTURE = "ISTIO_META_DNS_CAPTURE"
"""Variable of a proxy by which its agent answers the pod's requests for names (Istio, "DNS Proxying")."""


def is_true(value: object) -> bool:
    """Whether Istio's programs read a variable as true (Go, `strconv.ParseBool`)."""
    return str(value).lower() in ("true", "t", "1")


def captures_dns(mesh: Mapping[str, Any]) -> bool:
    """Whether proxies answer requests for names by default."""
    variables = (mesh.get("defaultConfig") or {}).get("proxyMetadata") or {}
    return is_true(variables.get(DNS_CAPTURE))


def topology(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a ProxyConfig states of what is in front of gateways (Istio, ProxyConfig, `gatewayTopology`)."""
    found = config.get("gatewayTopology")
    return found if isinstance(found, Mapping) else {}


_MERGING = ("MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")


def merges_slashes(meshes: list[dict[str, Any]]) -> str:
    """The setting by which proxies make one slash of several, and of escaped ones; empty where they do not."""
    modes = [(mesh.get("pathNormalization") or {}).get("normalization") for mesh in meshes]
    return next((f"MeshConfig has pathNormalization {mode}" for mode in modes if mode in _MERGING), "")


def ext_authz_provider(meshes: list[dict[str, Any]]) -> str:
    """Name of the provider of external authorization by HTTP whose server is `EXT_AUTHZ_HOST`; empty for none."""
    for mesh in meshes:
        for provider in _providers(mesh):
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
