"""The policies that a proxy holds, from its own configuration: rules, providers of keys, modes of mutual TLS.

Source of the shapes: Envoy's admin interface, `config_dump`, and the names that istiod gives to rules
(`ns[NAMESPACE]-policy[NAME]-rule[NUMBER]`, after a prefix for external authorization).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

RuleKey = tuple[str, str, int]
"""Namespace and name of an AuthorizationPolicy, and the number of a rule of it, from 0."""

_RULE = re.compile(r"ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]")
_OWN_PORT = 15006
"""Of the sidecar's inbound listener itself."""


@dataclass(frozen=True)
class Provider:
    """A provider of JSON Web Tokens. `keys` are its JSON Web Keys, each as JSON with sorted members."""

    issuer: str
    audiences: frozenset[str]
    keys: frozenset[str]


@dataclass(frozen=True)
class Enforced:
    """What one proxy enforces on requests that come in.

    Attributes:
        rules: every form of each rule; it differs between HTTP and TCP.
        modes: by port of the workload, whether connections with and without mutual TLS are taken.
        unverified: ports that also take TLS of clients without a certificate, or with one of any authority.
    """

    rules: dict[RuleKey, list[dict[str, Any]]] = field(default_factory=dict)
    providers: frozenset[Provider] = frozenset()
    modes: dict[int, tuple[bool, bool]] = field(default_factory=dict)
    unverified: frozenset[int] = frozenset()


def enforced(dump: dict[str, Any]) -> Enforced:
    """What a dump of listeners shows (`config_dump?resource=dynamic_listeners`)."""
    rules: dict[RuleKey, list[dict[str, Any]]] = {}
    providers: set[Provider] = set()
    modes: dict[int, tuple[bool, bool]] = {}
    unverified: set[int] = set()
    for chain in _chains(dump):
        _add_mode(modes, chain)
        if _takes_unverified(chain):
            unverified.add(_port(chain))
        for config in _filters(chain):
            kind = str(config.get("@type", ""))
            if kind.endswith(".RBAC"):
                _add_rules(rules, config)
            elif kind.endswith(".JwtAuthentication"):
                providers |= {_provider(one) for one in config.get("providers", {}).values()}
    return Enforced(rules, frozenset(providers), modes, frozenset(unverified))


def takes_in(dump: dict[str, Any]) -> bool:
    """Whether any listener of a dump takes new connections; those that drain only end the ones they have."""
    return any(True for _ in _chains(dump))


def keys(jwks: str) -> frozenset[str]:
    """The keys of a key set, as `Provider.keys` has them; none where the text is no such set."""
    try:
        return frozenset(json.dumps(key, sort_keys=True) for key in json.loads(jwks)["keys"])
    except (ValueError, KeyError, TypeError):
        return frozenset()


def _chains(dump: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for config in dump.get("configs", ()):
        listeners = config.get("dynamic_listeners", [config])
        for entry in listeners:
            listener = entry.get("active_state", {}).get("listener", {})
            yield from listener.get("filter_chains", ())
            if "default_filter_chain" in listener:
                yield listener["default_filter_chain"]


def _filters(chain: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in chain.get("filters", ()):
        config = one.get("typed_config", {})
        yield config
        for inner in config.get("http_filters", ()):
            yield inner.get("typed_config", {})


def _add_rules(rules: dict[RuleKey, list[dict[str, Any]]], config: dict[str, Any]) -> None:
    for part in ("rules", "shadow_rules"):
        for name, rule in config.get(part, {}).get("policies", {}).items():
            if found := _RULE.search(name):
                rules.setdefault((found[1], found[2], int(found[3])), []).append(rule)


def _add_mode(modes: dict[int, tuple[bool, bool]], chain: dict[str, Any]) -> None:
    port = _port(chain)
    if port and port != _OWN_PORT:
        mutual, plain = modes.get(port, (False, False))
        terminates = "transport_socket" in chain
        modes[port] = mutual or terminates, plain or not terminates


def _port(chain: dict[str, Any]) -> int:
    return int(chain.get("filter_chain_match", {}).get("destination_port") or 0)


def _takes_unverified(chain: dict[str, Any]) -> bool:
    """Whether a chain that terminates TLS demands no certificate of the client, or verifies none."""
    config = chain.get("transport_socket", {}).get("typed_config", {})
    common = config.get("common_tls_context")
    if common is None:  # plaintext, or a socket of another kind
        return False
    verifies = any("validation_context" in name for name in common)
    return not (config.get("require_client_certificate") and verifies) or "ACCEPT_UNTRUSTED" in json.dumps(common)


def _provider(config: dict[str, Any]) -> Provider:
    inline = config.get("local_jwks", {}).get("inline_string", "")
    return Provider(str(config.get("issuer", "")), frozenset(config.get("audiences", ())), keys(inline))
