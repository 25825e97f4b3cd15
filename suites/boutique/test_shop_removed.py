"""The shop deleted, as in the document's clean-up: namespaces and service entries are gone, no address answers."""

from __future__ import annotations

import pytest

from clients.model.stage import Stage
from suites.boutique.objects import entries, namespaces_left
from suites.boutique.workloads import DIRECT, ENVIRONMENT, THROUGH_GATEWAY

STAGE = Stage("shop-removed", title="Boutique deleted: no namespace left, no address answers", environment=ENVIRONMENT)


@pytest.fixture(scope="module")
def removed(stage):
    """Deletes the shop and gives the addresses that it had; a later stage deploys it again."""
    world = stage.world
    had = {probe: world.address(probe.source, 80) for probe in (DIRECT, THROUGH_GATEWAY)}
    world.remove(ENVIRONMENT)
    return had


@pytest.mark.control("BTQ-CLEAN-01")
def test_namespaces_are_gone(observe, stage, removed):
    world = stage.world

    def problem():
        if left := namespaces_left(world):
            return left
        for probe, address in removed.items():
            [outcome] = world.probe_at(probe, address, "BTQ-CLEAN-01")
            if outcome.status is not None:
                return f"{probe.destination} still answers {outcome.summary}"
        return None

    observe("BTQ-CLEAN-01", "none of the eleven namespaces, and neither public address answers", problem)


@pytest.mark.control("BTQ-CLEAN-02")
@pytest.mark.usefixtures("removed")
def test_service_entries_are_gone(observe, stage):
    def problem():
        left = entries(stage.world)
        return f"still there: {', '.join(left)}" if left else None

    observe("BTQ-CLEAN-02", "neither service entry is listed", problem)
