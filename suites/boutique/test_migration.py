"""Under load, the change from PERMISSIVE to STRICT and back loses no request between mesh workloads."""

from __future__ import annotations

import pytest

from clients.model.stage import Stage
from suites.boutique.migration import Load
from suites.boutique.workloads import ENVIRONMENT, EVERY_NAMESPACE_STRICT, SERVICES

STAGE = Stage(
    "migration", title="Boutique: switching to STRICT and back under load loses no request", environment=ENVIRONMENT
)
ONE_NAMESPACE_AT_A_TIME = tuple(f"boutique/namespace-strict/{namespace}.yaml" for namespace in SERVICES)
NO_LOSS = "no request lost, no three seconds without a good answer"


@pytest.mark.control("X-BTQ-MOVE-01")
def test_all_at_once(observe, stage):
    with Load(stage.world) as load:
        seen = load.change(EVERY_NAMESPACE_STRICT)
    observe("X-BTQ-MOVE-01", f"{NO_LOSS}: {seen}", seen.problem)


@pytest.mark.control("X-BTQ-MOVE-02")
def test_one_namespace_at_a_time(observe, stage):
    with Load(stage.world) as load:
        seen = load.one_by_one(ONE_NAMESPACE_AT_A_TIME)
    observe("X-BTQ-MOVE-02", f"{NO_LOSS}: {seen}", seen.problem)
