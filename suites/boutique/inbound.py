"""What a sidecar accepts, by its configuration: the hermetic form of the console's "Strict" and "Permissive"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clients.mesh import enforced, sidecar
from clients.proof.rig.rig import Rig
from suites.boutique.workloads import SERVICES, TABLE_PORT, client

LISTENER = "virtualInbound"
UNVERIFIED = "tls without a verified certificate"


def accepts(dump: dict[str, Any], port: int) -> set[str]:
    """What a port accepts: `tls`, `plaintext`, both, or nothing when the listener does not know the port.

    TLS of clients whose certificate it does not verify is `UNVERIFIED`.
    """
    return _by_port(dump).get(port, set())


def problem(rig: Rig, wanted: Mapping[str, set[str]]) -> str | None:
    """The first namespace whose service accepts something else than wanted, at any port; None when there is none."""
    for namespace, ways in wanted.items():
        for pod in rig.workloads.pods(client(namespace)):
            if not pod.injected:
                return f"{pod} has no sidecar"
            if found := difference(sidecar.config_dump(rig.cluster, pod), ways):
                return f"{pod} {found}"
    return None


def difference(dump: dict[str, Any], ways: set[str]) -> str:
    """The first port that accepts something else, the table's first; empty where there is none."""
    by_port = {TABLE_PORT: accepts(dump, TABLE_PORT)} | _by_port(dump)
    for port, seen in by_port.items():
        if seen != ways:
            which = "a port that no Service has" if port == enforced.ANY_OTHER else f"port {port}"
            return f"accepts {' and '.join(sorted(seen)) or 'nothing'} on {which}"
    return ""


def everywhere(*ways: str, but: Iterable[str] = ()) -> dict[str, set[str]]:
    """The same for every namespace, except for some that accept mutual TLS only."""
    return {namespace: {"tls"} if namespace in set(but) else set(ways) for namespace in SERVICES}


def _by_port(dump: dict[str, Any]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for chain in enforced.inbound_chains(dump):
        way = "tls" if "transport_socket" in chain else "plaintext"
        unverified = enforced.takes_unverified(chain) or enforced.trusts_others(chain)
        found.setdefault(enforced.port_of(chain), set()).add(UNVERIFIED if unverified else way)
    return found
