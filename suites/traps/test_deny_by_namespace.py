"""A DENY by namespace lets in callers that show no identity."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, reset, status
from clients.model.probe import Dial
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEGACY, MESH, TRADER

MUTUAL = MESH.get(f"{HTTPBIN}/ip")
PLAIN = LEGACY.get(f"{HTTPBIN}/ip")
BY_ADDRESS = MESH.get("http://httpbin.mtls-service:8080/ip", dial=Dial.POD)
OTHER = TRADER.get(f"{HTTPBIN}/ip")

STAGE = Stage(
    "traps-deny-by-namespace",
    title="DENY by namespace in a PERMISSIVE namespace",
    environment=ENVIRONMENT,
    apply=("traps/deny-by-namespace/two-namespaces.yaml", "traps/pod-address/services.yaml"),
    settle=(Settle(MUTUAL, rbac_denied(), before=status(200)),),
    steps=(
        Step(
            "strangers",
            title="DENY by namespace, and of callers without an identity",
            apply=("traps/deny-by-namespace/strangers.yaml",),
            settle=(Settle(PLAIN, rbac_denied()),),
        ),
        Step(
            "strict",
            title="DENY by namespace, and STRICT",
            apply=("traps/deny-by-namespace/strict.yaml",),
            settle=(Settle(PLAIN, reset()),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-DENY-NS-01", MUTUAL, rbac_denied(), before=status(200), twin=OTHER),
    Case("X-TRAP-DENY-NS-02", PLAIN, status(200)),
    Case("X-TRAP-DENY-NS-03", BY_ADDRESS, status(200)),
    Case("X-TRAP-DENY-NS-04", PLAIN, rbac_denied(), twin=OTHER, step="strangers"),
    Case("X-TRAP-DENY-NS-04", BY_ADDRESS, rbac_denied(), twin=OTHER, step="strangers", variant="pod-address"),
    Case("X-TRAP-DENY-NS-05", PLAIN, reset(), twin=OTHER, step="strict"),
]


def test_case(case, prove):
    prove(case)
