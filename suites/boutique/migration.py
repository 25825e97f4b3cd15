"""The load generator's own counts while the mesh changes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients.apply.item import Item
from clients.kube.exec import exec_once
from clients.model.errors import InfrastructureError
from clients.model.probe import Workload
from clients.proof.rig.rig import Rig

LOAD = Workload("loadgenerator", "loadgenerator", "client")
RATE = 20
"""Requests per second of each of the load generator's users; each causes about eight calls between services."""
LOCAL = "http://127.0.0.1:8080"
SPREAD_S = 1.5
"""Seconds of load after each change: all stale answers came within 0.6 s (docs/convergence.md)."""
STEP_S = 0.3
"""Seconds between two namespaces: short enough that the next change overlaps stale answers of the previous one."""
GAP_MS = 3000
"""Longest time without a good answer that is not an outage, in ms; a busy machine alone caused half of it."""
SLOW = 15
"""Requests in the `SPREAD_S` before any change, below which a gap may be the machine's: at leisure about 30 come."""


@dataclass(frozen=True)
class Tally:
    """What the load generator counted; a gap is the time between two good answers.

    Attributes:
        before: requests in the `SPREAD_S` before any change.
    """

    requests: int
    errors: int
    longest_gap_ms: int
    last_error: str
    before: int = RATE

    def problem(self) -> str | None:
        """Why the migration lost traffic or proves nothing; None when it lost none.

        Raises:
            InfrastructureError: there was a gap, and it was slow before anything was changed.
        """
        if self.requests < RATE:
            return f"only {self.requests} requests were sent: {self}"
        if self.errors:
            return f"{self.errors} of {self.requests} requests failed, the last: {self.last_error}"
        if self.longest_gap_ms <= GAP_MS:
            return None
        gap = f"no good answer for {self.longest_gap_ms} ms"
        if self.before < SLOW:
            raise InfrastructureError(f"{gap}, and only {self.before} in the {SPREAD_S:g} s before any change")
        return gap

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.errors} errors, longest gap {self.longest_gap_ms} ms"


class Load:
    """Runs the load generator at a high rate inside the context, and makes changes meanwhile."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._before = 0

    def __enter__(self) -> Load:
        """Raise the rate, and see how fast it is before anything is changed."""
        self._ask("-X", "POST", f"{LOCAL}/rate?rate={RATE}")
        time.sleep(SPREAD_S)
        self._before = self.tally().requests
        return self

    def __exit__(self, *_: object) -> None:
        """Lower the rate again."""
        self._ask("-X", "POST", f"{LOCAL}/rate?rate=1")

    def tally(self) -> Tally:
        """Counts since the last call."""
        stats: dict[str, Any] = json.loads(self._ask(f"{LOCAL}/stats"))
        return Tally(**stats, before=self._before)

    def change(self, manifests: Sequence[str]) -> Tally:
        """Apply all, wait, delete all, wait. Everything is deleted again even when a step fails."""
        items = self._rig.applier.load(manifests)
        return self._in_turn([items], SPREAD_S)

    def one_by_one(self, manifests: Sequence[str]) -> Tally:
        """The same, but manifests are applied one at a time, and deleted one at a time."""
        return self._in_turn([self._rig.applier.load([path]) for path in manifests], STEP_S)

    def _in_turn(self, steps: list[list[Item]], pause_s: float) -> Tally:
        applier = self._rig.applier
        applier.check([item for items in steps for item in items])
        try:
            for items in steps:
                applier.apply(items)
                time.sleep(pause_s)
            time.sleep(SPREAD_S - pause_s)
        finally:
            for items in steps:
                applier.delete(items)
                time.sleep(pause_s)
            time.sleep(SPREAD_S - pause_s)
        return self.tally()

    def _ask(self, *words: str) -> str:
        [pod, *_] = self._rig.workloads.pods(LOAD)
        result = exec_once(self._rig.cluster, pod, LOAD.container, ["curl", "-sS", "--max-time", "5", *words])
        if result.exit_code:
            raise InfrastructureError(f"the load generator does not answer: {result.stderr.strip()[:200]}")
        return result.stdout
