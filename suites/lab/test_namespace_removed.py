"""STRICT for one namespace, deleted again: the namespace accepts plaintext as before."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, STRICT_SERVICE

PLAIN_TO_STRICT = LEGACY_CLIENT.get(f"{STRICT_SERVICE}/ip")

STAGE = Stage(
    "namespace-removed",
    title="Security lab: namespace STRICT deleted, plaintext works again",
    environment=ENVIRONMENT,
    apply=("lab/namespace-strict/restricted-mtls.yaml",),
    removed=("lab/namespace-strict/restricted-mtls.yaml",),
    settle=(Settle(PLAIN_TO_STRICT, reset()),),
)

CASES = [Case("LAB-NSMTLS-05", PLAIN_TO_STRICT, status(200), before=status(200))]


def test_case(case, prove):
    prove(case)
