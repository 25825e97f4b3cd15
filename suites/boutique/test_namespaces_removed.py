"""The eleven policies deleted again: both entrances to the shop are open, and every service accepts plaintext."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle
from suites.boutique import inbound
from suites.boutique.objects import policies_problem
from suites.boutique.workloads import DIRECT, PLAIN, outside_to_everyone, shop, strict_stage

STAGE = replace(
    strict_stage(
        "namespaces-removed", title="Boutique: the eleven STRICT policies deleted, plaintext works again", removed=True
    ),
    settle=(Settle(PLAIN, reset()),),
)

CASES = [
    Case("BTQ-NSDEL-02", DIRECT, shop(), before=shop()),
    Case("BTQ-NSDEL-03", PLAIN, status(200), before=status(200)),
]

TABLES = [outside_to_everyone("X-BTQ-TABLE-05", status(200), before=status(200))]


def test_case(case, prove):
    prove(case)


def test_table(table, prove_table):
    prove_table(table)


@pytest.mark.control("BTQ-NSDEL-01")
def test_no_policy_is_listed(observe, stage):
    observe("BTQ-NSDEL-01", "no policy is listed", lambda: policies_problem(stage.world, {}))


@pytest.mark.control("BTQ-NSDEL-04")
def test_every_workload_is_permissive(observe, stage):
    expected = "each workload's inbound listener has a TLS and a plaintext filter chain"
    observe("BTQ-NSDEL-04", expected, lambda: inbound.problem(stage.world, inbound.everywhere("tls", "plaintext")))
