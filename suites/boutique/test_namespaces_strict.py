"""STRICT in each of the eleven namespaces: plaintext is refused everywhere, and the shop works as before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle
from suites.boutique import inbound
from suites.boutique.objects import policies_problem
from suites.boutique.workloads import (
    MUTUAL,
    PLAIN,
    SERVICES,
    THROUGH_GATEWAY,
    direct_refused,
    everyone_to_everyone,
    outside_to_everyone,
    shop,
    strict_stage,
)

STAGE = replace(
    strict_stage("namespaces-strict", title="Boutique: STRICT in all eleven namespaces refuses plaintext"),
    settle=(Settle(PLAIN, reset()),),
)

CASES = [
    *direct_refused("BTQ-NS-02", "every namespace"),
    Case("BTQ-NS-03", THROUGH_GATEWAY, shop(), before=shop()),
    Case("BTQ-NS-04", PLAIN, reset(), before=status(200), twin=MUTUAL),
    Case("BTQ-NS-05", MUTUAL, status(200), before=status(200)),
    Case("BTQ-NS-06", THROUGH_GATEWAY, shop(), before=shop()),
]

TABLES = [
    everyone_to_everyone("X-BTQ-TABLE-03"),
    outside_to_everyone("X-BTQ-TABLE-04", reset(), before=status(200)),
]


def test_case(case, prove):
    prove(case)


def test_table(table, prove_table):
    prove_table(table)


@pytest.mark.control("BTQ-NS-01")
def test_eleven_policies_are_listed(observe, stage):
    wanted = {(namespace, "namespace-policy"): "STRICT" for namespace in SERVICES}
    observe("BTQ-NS-01", "eleven policies listed, STRICT", lambda: policies_problem(stage.world, wanted))


@pytest.mark.control("BTQ-NS-08")
def test_every_workload_is_strict(observe, stage):
    expected = "each workload's inbound listener has TLS filter chains only"
    observe("BTQ-NS-08", expected, lambda: inbound.problem(stage.world, inbound.everywhere("tls")))
