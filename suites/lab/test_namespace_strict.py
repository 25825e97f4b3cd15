"""STRICT for one namespace: it refuses plaintext and accepts mutual TLS; another namespace stays open."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE, STRICT_SERVICE

PLAIN_TO_STRICT = LEGACY_CLIENT.get(f"{STRICT_SERVICE}/ip")
MUTUAL_TO_STRICT = MTLS_CLIENT.get(f"{STRICT_SERVICE}/ip")

STAGE = Stage(
    "namespace-strict",
    title="Security lab: STRICT for one namespace refuses plaintext there only",
    environment=ENVIRONMENT,
    apply=("lab/namespace-strict/restricted-mtls.yaml",),
    settle=(Settle(PLAIN_TO_STRICT, reset()),),
)

CASES = [
    Case("LAB-NSMTLS-02", LEGACY_CLIENT.get(f"{MTLS_SERVICE}/ip"), status(200), before=status(200)),
    Case("LAB-NSMTLS-03", PLAIN_TO_STRICT, reset(), before=status(200), twin=MUTUAL_TO_STRICT),
    Case("LAB-NSMTLS-04", MUTUAL_TO_STRICT, status(200), before=status(200)),
]


def test_case(case, prove):
    prove(case)
