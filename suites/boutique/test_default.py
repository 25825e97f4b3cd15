"""No policy anywhere: every service accepts plaintext, and both entrances to the shop are open."""

from __future__ import annotations

import pytest

from clients.model.case import Case
from clients.model.expect import status
from clients.model.stage import Stage
from suites.boutique.objects import SERVICE_ENTRIES, addresses_problem, entries, namespaces_problem
from suites.boutique.workloads import (
    DIRECT,
    ENVIRONMENT,
    PLAIN,
    THROUGH_GATEWAY,
    everyone_to_everyone,
    outside_to_everyone,
    shop,
)

STAGE = Stage(
    "shop-open", title="Boutique without policies: plaintext accepted, both entrances open", environment=ENVIRONMENT
)

CASES = [
    Case("BTQ-ACCESS-02", DIRECT, shop()),
    Case("BTQ-ACCESS-03", THROUGH_GATEWAY, shop()),
    Case("BTQ-ACCESS-04", PLAIN, status(200)),
]

TABLES = [
    everyone_to_everyone("X-BTQ-TABLE-01"),
    outside_to_everyone("X-BTQ-TABLE-02", status(200)),
]


def test_case(case, prove):
    prove(case)


def test_table(table, prove_table):
    prove_table(table)


@pytest.mark.control("BTQ-ACCESS-01")
def test_two_public_addresses(observe, stage):
    expected = "frontend-external and the ingress gateway are LoadBalancers with an address, frontend a ClusterIP"
    observe("BTQ-ACCESS-01", expected, lambda: addresses_problem(stage.world))


@pytest.mark.control("BTQ-CLEAN-03")
def test_namespaces_and_service_entries_exist(observe, stage):
    def problem():
        missing = set(SERVICE_ENTRIES) - entries(stage.world)
        return namespaces_problem(stage.world) or (f"no service entry {', '.join(missing)}" if missing else None)

    observe("BTQ-CLEAN-03", "eleven namespaces Active, two service entries listed", problem)
