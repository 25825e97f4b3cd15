"""STRICT for the whole mesh: only plaintext to an injected server is refused."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, LEGACY_SERVICE, MTLS_CLIENT, MTLS_SERVICE

PLAIN_TO_INJECTED = LEGACY_CLIENT.get(f"{MTLS_SERVICE}/ip")
INJECTED_TO_INJECTED = MTLS_CLIENT.get(f"{MTLS_SERVICE}/ip")

STAGE = Stage(
    "mesh-wide-strict",
    title="Security lab: STRICT for the whole mesh refuses plaintext",
    environment=ENVIRONMENT,
    apply=("lab/mesh-wide-strict/mesh-wide-mtls.yaml",),
    needs=frozenset({"mesh-wide"}),
    settle=(Settle(PLAIN_TO_INJECTED, reset()),),
)

CASES = [
    Case("LAB-MTLS-01", INJECTED_TO_INJECTED, status(200), before=status(200)),
    Case("LAB-MTLS-02", MTLS_CLIENT.get(f"{LEGACY_SERVICE}/ip"), status(200), before=status(200)),
    Case("LAB-MTLS-03", PLAIN_TO_INJECTED, reset(), before=status(200), twin=INJECTED_TO_INJECTED),
    Case("LAB-MTLS-04", LEGACY_CLIENT.get(f"{LEGACY_SERVICE}/ip"), status(200), before=status(200)),
]


def test_case(case, prove):
    prove(case)
