"""The tutorial's namespaces and configuration, created under other names and deleted: nothing is left of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suites.egress.workloads import S10

NAMESPACES = "egress/environment/1-namespaces.yaml"


@pytest.fixture
def deleted(mesh_lock, rig):
    """Prefix of the objects that were created and deleted again."""
    overlay = replace(rig.overlay, prefix=f"{rig.overlay.prefix}end-")
    applier = rig.applier.named_by(overlay)
    items = applier.load([NAMESPACES, *S10])
    applier.check(items)
    try:
        applier.apply(items)
    finally:
        gone = applier.ask_to_delete(items)
        with mesh_lock.released():  # only Kubernetes is working now, for seconds
            gone()
    return overlay.prefix


@pytest.mark.control("EGR-CLEAN-01")
def test_nothing_remains(observe, leftovers, deleted):
    def problem():
        left = [left for left in leftovers() if deleted in (left.namespace or left.name)]
        return f"left: {', '.join(map(str, left))}" if left else None

    observe("EGR-CLEAN-01", "no namespace, gateway, service entry or policy of those that were made is left", problem)
