"""The load generator's own count while the mesh is changed under it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clients.apply.applier import Item
from clients.kube.exec import exec_once
from clients.model.case import Workload
from clients.model.errors import InfrastructureError
from clients.proof.world import World

LOAD = Workload("loadgenerator", "loadgenerator", "client")
RATE = 20
"""Requests a second of each of the load generator's users; about eight calls between services come of each."""
LOCAL = "http://127.0.0.1:8080"
SPREAD_S = 1.5
"""How long the load goes on after each change: all stale answers came within 0.6 s (docs/convergence.md)."""
STEP_S = 0.3
"""Between two namespaces, one at a time: the next change meets stale answers of the one before."""
GAP_MS = 3000
"""Longest time without a good answer that is not yet an outage; a busy machine alone was seen to take half of it."""


@dataclass(frozen=True)
class Tally:
    """What the load generator counted; a gap is the time between two good answers."""

    requests: int
    errors: int
    longest_gap_ms: int
    last_error: str

    def problem(self) -> str | None:
        """Why this was no migration without loss; None when it was one."""
        if self.requests < RATE:
            return f"only {self.requests} requests were sent: {self}"
        if self.errors:
            return f"{self.errors} of {self.requests} requests failed, the last: {self.last_error}"
        if self.longest_gap_ms > GAP_MS:
            return f"no good answer for {self.longest_gap_ms} ms"
        return None

    def __str__(self) -> str:
        return f"{self.requests} requests, {self.errors} errors, longest gap {self.longest_gap_ms} ms"


class Load:
    """The load generator, busy while the context lasts, and the changes that are made meanwhile."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> Load:
        """Turn it up, and begin to count."""
        self._ask("-X", "POST", f"{LOCAL}/rate?rate={RATE}")
        time.sleep(SPREAD_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Turn it down again."""
        self._ask("-X", "POST", f"{LOCAL}/rate?rate=1")

    def tally(self) -> Tally:
        """What it has counted since the last time."""
        told: dict[str, Any] = json.loads(self._ask(f"{LOCAL}/stats"))
        return Tally(**told)

    def change(self, manifests: Sequence[str]) -> Tally:
        """Apply all, wait, delete all, wait; whatever happens, all of it is gone again."""
        items = self._world.applier.load(manifests)
        return self._in_turn([items], SPREAD_S)

    def one_by_one(self, manifests: Sequence[str]) -> Tally:
        """The same, but one manifest after the other is applied, and one after the other is deleted."""
        return self._in_turn([self._world.applier.load([path]) for path in manifests], STEP_S)

    def _in_turn(self, steps: list[list[Item]], pause_s: float) -> Tally:
        applier = self._world.applier
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
        [pod, *_] = self._world.pods(LOAD)
        result = exec_once(self._world.cluster, pod, LOAD.container, ["curl", "-sS", "--max-time", "5", *words])
        if result.exit_code:
            raise InfrastructureError(f"the load generator does not answer: {result.stderr.strip()[:200]}")
        return result.stdout
