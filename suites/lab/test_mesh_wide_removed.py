"""STRICT for the whole mesh, deleted again: plaintext to an injected server works as before."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, MTLS_SERVICE

PLAIN_TO_INJECTED = LEGACY_CLIENT.get(f"{MTLS_SERVICE}/ip")

STAGE = Stage(
    "mesh-wide-removed",
    title="Security lab: mesh-wide STRICT deleted, plaintext works again",
    environment=ENVIRONMENT,
    apply=("lab/mesh-wide-strict/mesh-wide-mtls.yaml",),
    removed=("lab/mesh-wide-strict/mesh-wide-mtls.yaml",),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(PLAIN_TO_INJECTED, reset()),),
)

CASES = [Case("LAB-MTLS-05", PLAIN_TO_INJECTED, status(200), before=status(200))]


def test_case(case, prove):
    prove(case)
