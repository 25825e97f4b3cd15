"""Callers as the frontend's sidecar counts them, by two policies in dry run: known by certificate, and unknown."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from clients import mesh
from clients.case import Probe
from clients.world import World

REQUESTS = 5
LAG_S = 3.0
"""How long counters are waited for before requests are sent anew: the first may have come before the policies."""
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class Counted:
    """Sends requests, and looks by which of the two policies they were counted.

    Attributes:
        known: the probe's caller proves who it is; otherwise it must be counted as unknown.
    """

    world: World
    probe: Probe
    known: bool
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
        known, unknown = (now - start for now, start in zip(self._now(), self._start, strict=True))
        right, wrong_ = (known, unknown) if self.known else (unknown, known)
        if wrong_:
            return f"{wrong_:g} of {REQUESTS} requests were counted as {'unknown' if self.known else 'known'}"
        return None if right >= REQUESTS else f"{right:g} of {REQUESTS} requests were counted"

    def _now(self) -> tuple[float, float]:
        found = [mesh.stats(self.world.cluster, pod, "rbac") for pod in self.world.backends(self.probe)]
        return sum(_dry_run(stats, "allow", "allowed") for stats in found), sum(
            _dry_run(stats, "deny", "denied") for stats in found
        )


def _dry_run(stats: dict[str, float], action: str, result: str) -> float:
    """Requests that a policy in dry run would have allowed or denied (tags of Istio's proxy bootstrap)."""
    wanted = {"authz_dry_run_action": action, "authz_dry_run_result": result}
    return sum(value for name, value in stats.items() if wanted.items() <= dict(_LABEL.findall(name)).items())
