"""The policies that a proxy holds, from its own configuration: rules, providers of keys, modes of mutual TLS.

Source of the shapes: Envoy's admin interface, `config_dump`, and the names that istiod gives to rules
(`ns[NAMESPACE]-policy[NAME]-rule[NUMBER]`, after a prefix for external authorization).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

RuleKey = tuple[str, str, int]
"""Namespace and name of an AuthorizationPolicy, and the number of a rule of it, from 0."""

_RULE = re.compile(r"ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]")
_OWN_PORT = 15006
"""Of the sidecar's inbound listener itself."""
_INBOUND = "virtualInbound"
"""The sidecar's inbound listener."""
_LISTENER = re.compile(r"virtual(Inbound|Outbound)|[0-9A-Fa-f.:\[\]]+_\d+")
"""What istiod calls listeners: those two of a sidecar, and others by address and port."""
_PARTS = ("rules", "shadow_rules")
"""Of a filter that enforces, and of one in dry run."""
_OF_POLICIES = (".RBAC", ".JwtAuthentication", ".ExtAuthz")
"""End the types of filters that enforce policies."""
ANY_OTHER = 0
"""In place of a port: those that no filter chain of the inbound listener names, because no Service has them."""
CLOCK_SKEW_S = 60
"""What Envoy allows for by itself (`jwt_authn`, `clock_skew_seconds`); no policy can state another."""
_MOUNTED = ("/var/run/secrets/", "/etc/certs/", "/etc/istio/")
"""Where a pod has its certificates where they do not come from istiod's authority."""
_OF_AGENT = "sds-grpc"
"""The cluster by which a proxy asks its own agent for certificates."""


@dataclass(frozen=True)
class Provider:
    """A provider of JSON Web Tokens.

    Attributes:
        keys: its JSON Web Keys, each as JSON with sorted members.
        clock_skew_s: by which a token may be too old or too young, in seconds.
    """

    issuer: str
    audiences: frozenset[str]
    keys: frozenset[str]
    clock_skew_s: int = CLOCK_SKEW_S


@dataclass(frozen=True)
class Enforced:
    """What one proxy enforces on requests that come in.

    Attributes:
        rules: every form of each rule; it differs between HTTP and TCP.
        modes: by port of the workload, or `ANY_OTHER`, whether connections with and without mutual TLS are taken.
        unverified: ports that also take TLS of clients without a certificate, or with one of any authority.
        foreign: ports that verify clients' certificates by another authority than the mesh's.
        expired: ports that take clients' certificates that have expired.
        unnamed: ports that take a certificate by whatever name, where others of the listener demand the mesh's domain.
        unread: why its authorization policies and providers are not known; empty where they are. A control plane that
            is not istiod may name rules in another way, or send filters apart from the listeners.
    """

    rules: dict[RuleKey, list[dict[str, Any]]] = field(default_factory=dict)
    providers: frozenset[Provider] = frozenset()
    modes: dict[int, tuple[bool, bool]] = field(default_factory=dict)
    unverified: frozenset[int] = frozenset()
    foreign: frozenset[int] = frozenset()
    expired: frozenset[int] = frozenset()
    unnamed: frozenset[int] = frozenset()
    unread: str = field(default="", kw_only=True)


def enforced(dump: dict[str, Any]) -> Enforced:
    """What a dump of listeners shows (`config_dump?resource=dynamic_listeners`)."""
    rules: dict[RuleKey, list[dict[str, Any]]] = {}
    providers: set[Provider] = set()
    modes: dict[int, tuple[bool, bool]] = {}
    unverified: set[int] = set()
    foreign: set[int] = set()
    expired = {port_of(chain) for _, chain in _chains(dump) if _takes_expired(chain)}
    for listener, chain in _chains(dump):
        _add_mode(modes, chain, listener)
        if takes_unverified(chain):
            unverified.add(port_of(chain))
        if trusts_others(chain):
            foreign.add(port_of(chain))
        for config in (one.get("typed_config", {}) for one in _named_filters(chain)):
            kind = str(config.get("@type", ""))
            if kind.endswith(".RBAC"):
                _add_rules(rules, config)
            elif kind.endswith(".JwtAuthentication"):
                providers |= {_provider(one) for one in config.get("providers", {}).values()}
    ports = (frozenset(one) for one in (unverified, foreign, expired, _unnamed(dump)))
    return Enforced(rules, frozenset(providers), modes, *ports, unread=_unread(dump, rules))


def takes_in(dump: dict[str, Any]) -> bool:
    """Whether any listener of a dump takes new connections; those that drain only end the ones they have."""
    return any(True for _ in _chains(dump))


def names_otherwise(dump: dict[str, Any]) -> bool:
    """Whether a proxy's listeners, all of them, are named as by another control plane than istiod."""
    names = {listener for listener, _ in _chains(dump) if listener}
    return bool(names) and not any(map(_LISTENER.fullmatch, names))


def keys(jwks: str) -> frozenset[str]:
    """The keys of a key set, as `Provider.keys` has them; none where the text is no such set."""
    try:
        return frozenset(json.dumps(key, sort_keys=True) for key in json.loads(jwks)["keys"])
    except (ValueError, KeyError, TypeError):
        return frozenset()


def inbound_chains(dump: dict[str, Any]) -> list[dict[str, Any]]:
    """The filter chains of a sidecar's inbound listener, without that of its own port."""
    return [chain for listener, chain in _chains(dump) if listener == _INBOUND and port_of(chain) != _OWN_PORT]


def port_of(chain: dict[str, Any]) -> int:
    """The port that a filter chain is for; `ANY_OTHER` where it names none."""
    return int(chain.get("filter_chain_match", {}).get("destination_port") or ANY_OTHER)


def takes_unverified(chain: dict[str, Any]) -> bool:
    """Whether a chain that terminates TLS demands no certificate of the client, or verifies none."""
    config = chain.get("transport_socket", {}).get("typed_config", {})
    common = config.get("common_tls_context")
    if common is None:  # plaintext, or a socket of another kind
        return False
    verifies = any("validation_context" in name for name in common) and common.get("validation_context") != {}
    return not (config.get("require_client_certificate") and verifies) or "ACCEPT_UNTRUSTED" in json.dumps(common)


def trusts_others(chain: dict[str, Any]) -> bool:
    """Whether a chain that terminates TLS is known to verify clients by another authority than the mesh's.

    istiod names the mesh's authority, or a mounted file, to the proxy's agent. A source of another kind is not judged.
    """
    common = chain.get("transport_socket", {}).get("typed_config", {}).get("common_tls_context") or {}
    combined = common.get("combined_validation_context", {})
    secret = combined.get("validation_context_sds_secret_config") or common.get("validation_context_sds_secret_config")
    if secret:  # its authority replaces any that is inline
        name, by = str(secret.get("name", "")), json.dumps(secret.get("sds_config", {}))
        mounted = name.startswith("file-root:") and name != "file-root:system"
        return not (name == "ROOTCA" or mounted) and (_OF_AGENT in by or '"ads"' in by)
    authority = common.get("validation_context", {}).get("trusted_ca") or {}
    if file := authority.get("filename"):
        return not str(file).startswith(_MOUNTED)
    return any(name.startswith("inline") for name in authority)


def _takes_expired(chain: dict[str, Any]) -> bool:
    return any(context.get("allow_expired_certificate") for context in _validations(chain))


def _unnamed(dump: dict[str, Any]) -> set[int]:
    """Ports at which clients may have any name.

    A mesh may leave the names out as a whole (istiod's `PILOT_SKIP_VALIDATE_TRUST_DOMAIN`): no port has them then.
    """
    demands: dict[bool, set[int]] = {True: set(), False: set()}
    for chain in inbound_chains(dump):
        if chain.get("transport_socket", {}).get("typed_config", {}).get("require_client_certificate"):
            demands[any(map(_demands_name, _validations(chain)))].add(port_of(chain))
    return demands[False] if demands[True] else set()


def _demands_name(context: dict[str, Any]) -> bool:
    return bool(context.get("match_typed_subject_alt_names") or context.get("match_subject_alt_names"))


def _validations(chain: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a chain that terminates TLS states in itself about the verification of clients."""
    common = chain.get("transport_socket", {}).get("typed_config", {}).get("common_tls_context") or {}
    combined = common.get("combined_validation_context") or {}
    yield common.get("validation_context") or {}
    yield combined.get("default_validation_context") or {}


def _chains(dump: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each filter chain, after the name of its listener."""
    for config in dump.get("configs", ()):
        listeners = config.get("dynamic_listeners", [config])
        for entry in listeners:
            listener = entry.get("active_state", {}).get("listener", {})
            name = str(listener.get("name") or entry.get("name", ""))
            yield from ((name, chain) for chain in listener.get("filter_chains", ()))
            if "default_filter_chain" in listener:
                yield name, listener["default_filter_chain"]


def _named_filters(chain: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of the network, and of HTTP within them."""
    for one in chain.get("filters", ()):
        yield one
        yield from one.get("typed_config", {}).get("http_filters", ())


def _unread(dump: dict[str, Any], rules: Collection[RuleKey]) -> str:
    """See `Enforced.unread`; `rules` are those that are named as istiod does."""
    filters = [one for _, chain in _chains(dump) for one in _named_filters(chain)]
    configs = [one.get("typed_config", {}) for one in filters]
    rbac = [one for one in configs if str(one.get("@type", "")).endswith(".RBAC")]
    names = {str(name) for one in rbac for part in _PARTS for name in one.get(part, {}).get("policies", {})}
    if names and not rules:
        return f"rules named as by another control plane than istiod ({min(names)})"
    return "filters that are not in its listeners" if any(map(_comes_apart, filters)) else ""


def _comes_apart(named: dict[str, Any]) -> bool:
    """Whether the configuration of a filter that may enforce policies comes by extension discovery.

    istiod sends extensions so; their types have RBAC too, for what it puts in the place of one that does not load.
    """
    types = (str(one) for one in named.get("config_discovery", {}).get("type_urls", ()))
    return "config_discovery" in named and all(one.endswith(_OF_POLICIES) for one in types)


def _add_rules(rules: dict[RuleKey, list[dict[str, Any]]], config: dict[str, Any]) -> None:
    for part in _PARTS:
        for name, rule in config.get(part, {}).get("policies", {}).items():
            if found := _RULE.search(name):
                rules.setdefault((found[1], found[2], int(found[3])), []).append(rule)


def _add_mode(modes: dict[int, tuple[bool, bool]], chain: dict[str, Any], listener: str) -> None:
    """A chain without a port is of the workload's ports only in the sidecar's inbound listener."""
    port = port_of(chain)
    if port != _OWN_PORT and (port or listener == _INBOUND):
        mutual, plain = modes.get(port, (False, False))
        terminates = "transport_socket" in chain
        modes[port] = mutual or terminates, plain or not terminates


def _provider(config: dict[str, Any]) -> Provider:
    inline = config.get("local_jwks", {}).get("inline_string", "")
    skew = int(config.get("clock_skew_seconds") or CLOCK_SKEW_S)
    return Provider(str(config.get("issuer", "")), frozenset(config.get("audiences", ())), keys(inline), skew)
