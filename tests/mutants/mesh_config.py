"""Mutants of the mesh's own settings derive from this."""

from __future__ import annotations

import time
from typing import Any

import yaml

from clients.proof.rig.rig import Rig
from tests.mutants import outside
from tests.mutants.mutant import Mutant

_CONFIG = ("v1", "ConfigMap", "istio", "istio-system")


def write(mesh: str) -> None:
    """Give the mesh these settings."""
    outside.administrator().patch(*_CONFIG, {"data": {"mesh": mesh}})


def read() -> str:
    """The settings of the mesh now."""
    found = outside.administrator().get(*_CONFIG)
    assert found is not None
    return str(found["data"]["mesh"])


class MeshConfig(Mutant):
    """Changes the mesh's own settings when the stage has settled; istiod reads them again at once."""

    def __init__(self) -> None:
        self._before = ""

    def change(self, mesh: dict[str, Any]) -> None:
        """Change the settings in place."""
        raise NotImplementedError

    def entered(self, rig: Rig) -> None:
        del rig
        self._before = self._before or read()
        mesh = yaml.safe_load(self._before)
        self.change(mesh)
        write(yaml.safe_dump(mesh))
        time.sleep(outside.SPREAD_S)

    def undo(self) -> None:
        if self._before:
            write(self._before)
        self._before = ""
