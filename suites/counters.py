"""Counters of a server's sidecars, and by how much they grow through the requests of one caller."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clients.mesh import sidecar
from clients.mesh.sidecar import Stats
from clients.model.probe import Probe
from clients.proof.rig.rig import Rig

REQUESTS = 5
LAG_S = 1.0
"""Seconds to wait for counters before requests are sent again: the first may have arrived before the policy."""
Count = Callable[[Stats, Rig], float]

_FILTER = "istio_requests_total|rbac"


@dataclass
class Growth:
    """Sends requests, and checks which counters of the server's sidecars grow by them.

    Attributes:
        counted: must grow by at least the number of requests sent.
        not_counted: must not grow.
    """

    rig: Rig
    probe: Probe
    counted: Count
    not_counted: Count
    _start: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _sent_at: float | None = field(default=None, init=False)

    def problem(self, control: str) -> str | None:
        """What is wrong, or None. Each call reads the counters again, and after `LAG_S` sends requests again."""
        if self._sent_at is None or time.monotonic() - self._sent_at > LAG_S:
            self._start, self._sent_at = self._now(), None
            outcomes = self.rig.prober.probe(self.probe, control, REQUESTS)
            if wrong := next((outcome.summary for outcome in outcomes if outcome.status != 200), ""):
                return f"the traffic did not pass: {wrong}"
            self._sent_at = time.monotonic()
        grown, other = (now - start for now, start in zip(self._now(), self._start, strict=True))
        if other:
            return f"{other:g} of {REQUESTS} requests were counted as the other caller's"
        return None if grown >= REQUESTS else f"{grown:g} of {REQUESTS} requests were counted"

    def _now(self) -> tuple[float, float]:
        pods = self.rig.workloads.backends(self.probe)
        found = [sidecar.stats(self.rig.cluster, pod, _FILTER) for pod in pods]
        return (
            sum(self.counted(stats, self.rig) for stats in found),
            sum(self.not_counted(stats, self.rig) for stats in found),
        )


def dry_run(stats: Stats, action: str, result: str) -> float:
    """Requests that a policy in dry run would have allowed or denied (tags of Istio's proxy bootstrap)."""
    policy = tuple(sample for sample in stats if sample.name.startswith("envoy_http_rbac"))
    return total(policy, {"authz_dry_run_action": action, "authz_dry_run_result": result})


def total(stats: Stats, labels: dict[str, str]) -> float:
    """Sum of the counters that carry these labels."""
    return sum(sample.value for sample in stats if labels.items() <= sample.labels.items())
