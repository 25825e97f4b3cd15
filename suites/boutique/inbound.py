"""What a sidecar accepts, by its configuration: the hermetic form of the console's "Strict" and "Permissive"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clients.mesh import sidecar
from clients.proof.world import World
from suites.boutique.workloads import SERVICES, TABLE_PORT, client

LISTENER = "virtualInbound"


def accepts(dump: dict[str, Any], port: int) -> set[str]:
    """What a port accepts: `tls`, `plaintext`, both, or neither when the listener does not know the port."""
    found = set()
    for chain in _chains(dump):
        if chain.get("filter_chain_match", {}).get("destination_port") == port:
            found.add("tls" if "transport_socket" in chain else "plaintext")
    return found


def problem(world: World, wanted: Mapping[str, set[str]]) -> str | None:
    """The first namespace whose service accepts something else than wanted; None when there is none."""
    for namespace, ways in wanted.items():
        for pod in world.pods(client(namespace)):
            if not pod.injected:
                return f"{pod} has no sidecar"
            seen = accepts(sidecar.config_dump(world.cluster, pod), TABLE_PORT)
            if seen != ways:
                return f"{pod} accepts {' and '.join(sorted(seen)) or 'nothing'} on port {TABLE_PORT}"
    return None


def everywhere(*ways: str, but: Iterable[str] = ()) -> dict[str, set[str]]:
    """The same for every namespace, except for some that accept mutual TLS only."""
    return {namespace: {"tls"} if namespace in set(but) else set(ways) for namespace in SERVICES}


def _chains(dump: dict[str, Any]) -> list[dict[str, Any]]:
    for config in dump.get("configs", ()):
        for entry in config.get("dynamic_listeners", ()):
            if entry.get("name") == LISTENER:
                chains: list[dict[str, Any]] = entry["active_state"]["listener"].get("filter_chains", [])
                return chains
    return []
