"""Mutants of the mesh's own settings derive from this."""

from __future__ import annotations

import time
from typing import Any

import yaml

from clients.proof.rig import Rig
from tests.mutants import outside
from tests.mutants.mutant import Mutant

_SPREAD_S = 3.0
"""All stale answers come within a second of a change (docs/convergence.md)."""


class MeshConfig(Mutant):
    """Changes the mesh's own settings when the stage has settled; istiod reads them again at once."""

    def __init__(self) -> None:
        self._before = ""

    def change(self, mesh: dict[str, Any]) -> None:
        """Change the settings in place."""
        raise NotImplementedError

    def entered(self, rig: Rig) -> None:
        del rig
        found = outside.administrator().get("v1", "ConfigMap", "istio", "istio-system")
        assert found is not None
        self._before = self._before or found["data"]["mesh"]
        mesh = yaml.safe_load(self._before)
        self.change(mesh)
        self._write(yaml.safe_dump(mesh))
        time.sleep(_SPREAD_S)

    def undo(self) -> None:
        if self._before:
            self._write(self._before)
        self._before = ""

    @staticmethod
    def _write(mesh: str) -> None:
        outside.administrator().patch("v1", "ConfigMap", "istio", "istio-system", {"data": {"mesh": mesh}})
