"""A port that is excluded from its sidecar is outside of STRICT and of every AuthorizationPolicy."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, reset, status
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEGACY, MESH, METRICS, TRADER

PLAIN = LEGACY.get(f"{HTTPBIN}/ip")
MUTUAL, TRADING = MESH.get(f"{HTTPBIN}/ip"), TRADER.get(f"{HTTPBIN}/ip")
PLAIN_TO_METRICS, MUTUAL_TO_METRICS = LEGACY.get(f"{METRICS}/ip"), MESH.get(f"{METRICS}/ip")

STAGE = Stage(
    "traps-excluded-inbound-port",
    title="STRICT and one namespace allowed, and a port outside of the sidecar",
    environment=ENVIRONMENT,
    apply=("traps/excluded-inbound-port/strict-and-traders.yaml",),
    settle=(Settle(PLAIN, reset(), before=status(200)),),
    reachable=(MESH.get("http://httpbin.legacy-service:8000/ip"),),
    steps=(
        Step(
            "plaintext",
            title="Clients with a sidecar use plain text to the excluded port",
            apply=("traps/excluded-inbound-port/plaintext-for-mesh-clients.yaml",),
            settle=(Settle(MUTUAL_TO_METRICS, status(200)),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-EXCLUDED-01", PLAIN_TO_METRICS, status(200)),
    Case("X-TRAP-EXCLUDED-02", PLAIN, reset(), before=status(200), twin=TRADING),
    Case("X-TRAP-EXCLUDED-02", MUTUAL, rbac_denied(), before=status(200), twin=TRADING, variant="another identity"),
    Case("X-TRAP-EXCLUDED-03", MUTUAL_TO_METRICS, status(503), twin=PLAIN_TO_METRICS),
    Case("X-TRAP-EXCLUDED-04", MUTUAL_TO_METRICS, status(200), step="plaintext"),
]


def test_case(case, prove):
    prove(case)
