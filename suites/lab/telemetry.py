"""Callers, as the server's sidecar counts them."""

from __future__ import annotations

from clients.mesh.sidecar import Stats
from clients.proof.rig.rig import Rig
from suites.counters import dry_run, total


def named_caller(stats: Stats, rig: Rig) -> float:
    """Requests of sleep in mtls-client by mutual TLS."""
    if standard := _standard(stats):
        namespace = rig.overlay.namespace("mtls-client")
        wanted = {"source_workload": "sleep", "source_workload_namespace": namespace}
        return total(standard, {**wanted, "connection_security_policy": "mutual_tls"})
    return dry_run(stats, "allow", "allowed")


def unknown_caller(stats: Stats, rig: Rig) -> float:  # noqa: ARG001 - same shape as `named_caller`
    """Requests of an unknown caller, by plaintext."""
    if standard := _standard(stats):
        return total(standard, {"source_workload": "unknown", "connection_security_policy": "none"})
    return dry_run(stats, "allow", "denied")


_TAGS = frozenset({"source_workload", "source_workload_namespace", "connection_security_policy"})
"""Tags of the standard metric that name a caller. A Telemetry may remove some of them, to have fewer series."""


def _standard(stats: Stats) -> Stats:
    """Istio's standard metric, reported by the server; empty where the proxy keeps none that can name a caller."""
    return tuple(
        sample
        for sample in stats
        if sample.name == "istio_requests_total"
        and sample.labels.get("reporter") == "destination"
        and sample.labels.keys() >= _TAGS
    )
