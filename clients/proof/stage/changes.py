"""What a stage changes in its environment, and how everything that it changed is put back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from clients.apply.item import Item
from clients.kube import readiness
from clients.model.errors import ClusterError, MeshproofError
from clients.model.evidence import Applied
from clients.model.stage import Scale
from clients.proof.rig.rig import Rig


class Changes:
    """The changes of one stage that are in force. Each is registered before it is made, so that half of one is undone.

    Args:
        rig: what the stage runs on.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._undo: list[Callable[[], None]] = []

    def register(self, undo: Callable[[], None]) -> None:
        """Undo this too when everything is put back, before what was registered earlier."""
        self._undo.append(undo)

    def scale(self, scaled: Sequence[Scale]) -> list[Applied]:
        """Scale Deployments of the environment.

        Raises:
            ClusterError: one does not exist, or its pods are not ready in time.
        """
        applied, before, after = [], [], []
        for scale in scaled:
            namespace = self._rig.overlay.namespace(scale.namespace)
            found = self._rig.cluster.get("apps/v1", "Deployment", scale.deployment, namespace)
            if found is None:
                raise ClusterError(
                    f"Deployment {namespace}/{scale.deployment} does not exist", "see the stage's environment"
                )
            before.append((found, found["spec"].get("replicas", 1)))
            after.append((found, scale.replicas))
            text = f"spec:\n  replicas: {scale.replicas}\n"
            applied.append(Applied("scaled by the stage", "Deployment", namespace, scale.deployment, text))
        if after:
            self.register(lambda: self._set_replicas(before))
            self._set_replicas(after)
        return applied

    def delete(self, paths: Sequence[str]) -> list[Item]:
        """Delete manifests of the environment; returns their objects.

        Raises:
            ClusterError: an object could not be deleted.
        """
        applier = self._rig.applier
        items = applier.load(paths) if paths else []
        if items:
            self.register(lambda: self._bring_back(items))
            applier.delete(items)
        return items

    def put_back(self) -> list[str]:
        """Undo everything in reverse order; returns the problems."""
        problems = []
        while self._undo:
            try:
                self._undo.pop()()
            except MeshproofError as error:
                problems.append(error.message)
        return problems

    def _bring_back(self, items: list[Item]) -> None:
        self._rig.applier.apply(items)
        self._rig.applier.wait_ready(items)

    def _set_replicas(self, deployments: list[tuple[dict[str, Any], int]]) -> None:
        cluster, deadline = self._rig.cluster, time.monotonic() + self._rig.applier.timeout_s
        for deployment, replicas in deployments:
            meta, body = deployment["metadata"], {"spec": {"replicas": replicas}}
            cluster.patch("apps/v1", "Deployment", meta["name"], meta["namespace"], body)
        for deployment, _ in deployments:
            readiness.wait(cluster, deployment, deadline)
        self._rig.forget()
