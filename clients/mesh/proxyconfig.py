"""A sidecar's configuration by names: its clusters, and where its routes lead (as `istioctl proxy-config`).

Source of the shapes: Envoy's admin interface, `config_dump` (envoyproxy.io, "Administration interface").
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

Dump = dict[str, Any]


@dataclass(frozen=True)
class ClusterConfig:
    """One upstream cluster.

    Attributes:
        name: `outbound|80||example.com`.
        tls: connections to it are TLS.
        sni: name in the hello; empty where it is the client's own or there is none.
        roots: what the server's certificate is verified by (`file-root:system`, `ROOTCA`); empty: not verified.
    """

    name: str
    tls: bool = False
    sni: str = ""
    roots: str = ""


def clusters(dump: Dump) -> dict[str, ClusterConfig]:
    """Every cluster, static ones too, by name."""
    found = (entry["cluster"] for entry in _entries(dump, "ClustersConfigDump", "clusters") if "cluster" in entry)
    return {cluster["name"]: _cluster(cluster) for cluster in found}


def outbound(dump: Dump) -> set[str]:
    """Names of the clusters of services (`outbound|port|subset|host`), without Envoy's own."""
    return {name for name in clusters(dump) if name.startswith("outbound|")}


def hosts(dump: Dump) -> set[str]:
    """Hosts of the outbound clusters."""
    return {name.rsplit("|", 1)[1] for name in outbound(dump)}


def routes(dump: Dump) -> dict[str, set[str]]:
    """Domain that a virtual host answers for (`example.com`, `example.com:80`, `*`) to the clusters it leads to.

    Those that only get copies of its requests (mirrors) are among them.
    """
    found: dict[str, set[str]] = {}
    for entry in _entries(dump, "RoutesConfigDump", "route_configs"):
        for virtual in entry.get("route_config", {}).get("virtual_hosts", ()):
            leads = {cluster for route in virtual.get("routes", ()) for cluster in _leads(route.get("route", {}))}
            for domain in virtual.get("domains", ()):
                found.setdefault(domain, set()).update(leads)
    return found


def token_keys(dump: Dump) -> dict[str, list[dict[str, Any]]]:
    """Issuer of tokens that are checked to the keys that the proxy holds for it (JSON Web Keys, RFC 7517)."""
    found: dict[str, list[dict[str, Any]]] = {}
    for provider in _providers(dump):
        keys = found.setdefault(provider.get("issuer", ""), [])
        text = provider.get("local_jwks", {}).get("inline_string", "")
        with suppress(ValueError):  # not a key set: nothing can be checked, nor signed, by it
            keys += json.loads(text).get("keys", ())
    return found


def _providers(value: Any) -> Iterator[dict[str, Any]]:
    """Every provider of every JWT filter, wherever it is in the configuration."""
    if isinstance(value, list):
        for one in value:
            yield from _providers(one)
    if isinstance(value, dict):
        if str(value.get("@type", "")).endswith("jwt_authn.v3.JwtAuthentication"):
            yield from value.get("providers", {}).values()
        for one in value.values():
            yield from _providers(one)


def _leads(route: dict[str, Any]) -> Iterator[str]:
    if "cluster" in route:
        yield route["cluster"]
    for weighted in route.get("weighted_clusters", {}).get("clusters", ()):
        yield weighted["name"]
    for mirror in route.get("request_mirror_policies", ()):
        yield mirror["cluster"]


def _entries(dump: Dump, kind: str, name: str) -> Iterator[dict[str, Any]]:
    for config in dump.get("configs", ()):
        if str(config.get("@type", "")).endswith(kind):
            for group in (f"static_{name}", f"dynamic_active_{name}", f"dynamic_{name}"):
                yield from config.get(group, ())


def _cluster(cluster: dict[str, Any]) -> ClusterConfig:
    sockets = [cluster.get("transport_socket"), *(m.get("transport_socket") for m in _matches(cluster))]
    contexts = [socket["typed_config"] for socket in sockets if socket and _is_tls(socket)]
    if not contexts:
        return ClusterConfig(cluster["name"])
    sni = next((text for context in contexts if (text := context.get("sni"))), "")
    combined = (context.get("common_tls_context", {}).get("combined_validation_context", {}) for context in contexts)
    roots = (found.get("validation_context_sds_secret_config", {}).get("name", "") for found in combined)
    return ClusterConfig(cluster["name"], True, sni, next(filter(None, roots), ""))


def _matches(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    matches: list[dict[str, Any]] = cluster.get("transport_socket_matches", [])
    return matches


def _is_tls(socket: dict[str, Any]) -> bool:
    return str(socket.get("typed_config", {}).get("@type", "")).endswith("UpstreamTlsContext")
