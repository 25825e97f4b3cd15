"""After all: the namespaces of the tutorial are deleted, and nothing of it is left in the cluster."""

from __future__ import annotations

import pytest

from clients.cleanup import find
from clients.overlay import MESH_NAMESPACE


@pytest.mark.control("EGR-CLEAN-01")
def test_nothing_remains(observe, world):
    world.close()  # what later modules stand on is made anew

    def problem():
        left = [str(left) for left in find(world.cluster, world.overlay.run) if concerns(left, world.overlay.prefix)]
        return f"left: {', '.join(left)}" if left else None

    observe("EGR-CLEAN-01", "no namespace, Istio resource or network policy of this process is left", problem)


def concerns(left, prefix):
    """Whether it is of this process, or of the whole mesh; other processes have namespaces of their own."""
    return (left.namespace or left.name).startswith(prefix) or left.namespace == MESH_NAMESPACE
