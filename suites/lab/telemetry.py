"""Callers as the server's sidecar counts them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clients import mesh
from clients.case import Probe
from clients.world import World

REQUESTS = 5
LAG_S = 3.0
"""How long counters are waited for before requests are sent anew: the first may have come before the policy."""
Stats = dict[str, float]
Count = Callable[[Stats, World], float]

_FILTER = "istio_requests_total|rbac"
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def named_caller(stats: Stats, world: World) -> float:
    """Requests of sleep in mtls-client by mutual TLS."""
    if standard := _standard(stats):
        namespace = world.overlay.namespace("mtls-client")
        wanted = {"source_workload": "sleep", "source_workload_namespace": namespace}
        return _sum(standard, {**wanted, "connection_security_policy": "mutual_tls"})
    return _dry_run(stats, "allowed")


def unknown_caller(stats: Stats, world: World) -> float:  # noqa: ARG001 - same shape as `named_caller`
    """Requests of nobody known, by plaintext."""
    if standard := _standard(stats):
        return _sum(standard, {"source_workload": "unknown", "connection_security_policy": "none"})
    return _dry_run(stats, "denied")


@dataclass
class Growth:
    """Sends requests, and looks which counters of the server's sidecars grew by them.

    Attributes:
        counted: must grow by at least the number of requests sent.
        not_counted: must not grow.
    """

    world: World
    probe: Probe
    counted: Count
    not_counted: Count
    _start: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _sent_at: float | None = field(default=None, init=False)

    def problem(self, control: str) -> str | None:
        """What is wrong, or None. Called again it looks again, and after a while sends again."""
        if self._sent_at is None or time.monotonic() - self._sent_at > LAG_S:
            self._start, self._sent_at = self._now(), None
            outcomes = self.world.probe(self.probe, control, REQUESTS)
            if wrong := next((outcome.summary for outcome in outcomes if outcome.status != 200), ""):
                return f"the traffic did not pass: {wrong}"
            self._sent_at = time.monotonic()
        grown, other = (now - start for now, start in zip(self._now(), self._start, strict=True))
        if other:
            return f"{other:g} of {REQUESTS} requests were counted as the other caller's"
        return None if grown >= REQUESTS else f"{grown:g} of {REQUESTS} requests were counted"

    def _now(self) -> tuple[float, float]:
        pods = self.world.backends(self.probe)
        found = [mesh.stats(self.world.cluster, pod, _FILTER) for pod in pods]
        return (
            sum(self.counted(stats, self.world) for stats in found),
            sum(self.not_counted(stats, self.world) for stats in found),
        )


def _standard(stats: Stats) -> Stats:
    """Istio's standard metric, as the server reports it; empty where the proxy keeps none."""
    found = {name: value for name, value in stats.items() if name.startswith("istio_requests_total")}
    return {name: value for name, value in found.items() if 'reporter="destination"' in name}


def _dry_run(stats: Stats, result: str) -> float:
    """Requests that the policy in dry run would have allowed or denied (tags of Istio's proxy bootstrap)."""
    policy = {name: value for name, value in stats.items() if name.startswith("envoy_http_rbac")}
    return _sum(policy, {"authz_dry_run_action": "allow", "authz_dry_run_result": result})


def _sum(stats: Stats, labels: dict[str, str]) -> float:
    return sum(value for name, value in stats.items() if labels.items() <= dict(_LABEL.findall(name)).items())
