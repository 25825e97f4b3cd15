"""The port modes of a PeerAuthentication count the port of the container, not that of the Service."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.refused import RefusedManifest
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEGACY, MESH

PLAIN = LEGACY.get(f"{HTTPBIN}/ip")
MUTUAL = MESH.get(f"{HTTPBIN}/ip")

STAGE = Stage(
    "traps-port-level-mtls",
    title="STRICT for one port: that of the container",
    environment=ENVIRONMENT,
    apply=("traps/port-level-mtls/port-of-the-container.yaml",),
    settle=(Settle(PLAIN, reset(), before=status(200)),),
    steps=(
        Step(
            "service",
            title="STRICT for one port: that of the Service",
            apply=("traps/port-level-mtls/port-of-the-service.yaml",),
            settle=(Settle(PLAIN, status(200)),),
        ),
        Step(
            "exception",
            title="STRICT, and an exception for the port of the Service",
            apply=("traps/port-level-mtls/exception-on-the-wrong-port.yaml",),
            settle=(Settle(PLAIN, reset()),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-PORT-01", PLAIN, reset(), before=status(200), twin=MUTUAL),
    Case("X-TRAP-PORT-02", PLAIN, status(200), step="service"),
    Case("X-TRAP-PORT-03", PLAIN, reset(), twin=MUTUAL, step="exception"),
]
REFUSED = [
    RefusedManifest(
        "X-TRAP-PORT-04",
        "traps/port-level-mtls/no-selector.yaml",
        reason="portLevelMtls requires",
        twin="traps/port-level-mtls/exception-on-the-wrong-port.yaml",
    ),
]


def test_case(case, prove):
    prove(case)


def test_refused(refused, prove_refused):
    prove_refused(refused)
