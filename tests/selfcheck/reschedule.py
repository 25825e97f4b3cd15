"""Pytest plugin that reschedules pods between cases: `-p tests.selfcheck.reschedule`."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import pytest

from clients.model.errors import MeshproofError
from clients.model.polling import poll
from clients.model.stage import Stage
from clients.proof.rig.rig import Rig

EVERY = 6
"""After so many cases one pod of the run is deleted; its Deployment makes another."""
PATIENCE_S = 30.0


class Reschedule:
    """Deletes a random pod of the run's own namespaces, and waits until there are as many ready ones as before."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._rig: Rig | None = None
        self._cases = 0

    def pytest_meshproof_stage_entered(self, rig: Rig, stage: Stage) -> None:
        """Remember the connection."""
        del stage
        self._rig = rig

    def pytest_runtest_teardown(self) -> None:
        """Delete one after every few cases."""
        self._cases += 1
        if self._rig is not None and self._cases % EVERY == 0:
            with suppress(MeshproofError):  # the run is about to find out itself
                self._one(self._rig)

    def _one(self, rig: Rig) -> None:
        cluster = rig.cluster
        ours = list(map(rig.overlay.namespace, sorted(rig.overlay.namespaces)))
        pods = [pod for name in ours for pod in cluster.pods(name, "") if pod.ready]
        if not pods:
            return
        pod = self._random.choice(pods)
        before = sum(other.namespace == pod.namespace for other in pods)
        cluster.delete("v1", "Pod", pod.name, pod.namespace)

        def again() -> bool:
            there = [one for one in cluster.pods(pod.namespace, "") if one.ready and one.name != pod.name]
            return len(there) >= before

        # The rig does not forget its pods: it would take a pod that went away for one that the run itself replaced.
        poll(again, time.monotonic() + PATIENCE_S)


def pytest_configure(config: pytest.Config) -> None:
    """Install it, in the processes that run cases."""
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    config.pluginmanager.register(Reschedule(worker), "meshproof-reschedule")
