"""A pod's own address under STRICT: no Service, no mutual TLS."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import no_reply, reset, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Dial
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEDGER, LEDGER_AUDIT, LEGACY, MESH

MUTUAL = MESH.get(f"{HTTPBIN}/ip")
PLAIN = LEGACY.get(f"{HTTPBIN}/ip")
URL = "http://httpbin.mtls-service:8080/ip"
"""Its Service gives the pod; the port is the container's, which no Service of the first state has."""
DIRECT = "http://httpbin-direct.mtls-service:8080/ip"
BY_ADDRESS = MESH.get(URL, dial=Dial.POD)
CUT = no_reply(OutcomeKind.RESET, OutcomeKind.EMPTY_REPLY)
HEADLESS = MESH.get("http://httpbin-headless.mtls-service:8080/ip")

STAGE = Stage(
    "traps-pod-address",
    title="STRICT, and requests to the pods' own addresses",
    environment=ENVIRONMENT,
    apply=("traps/pod-address/strict.yaml", "traps/pod-address/scope.yaml"),
    settle=(Settle(PLAIN, reset(), before=status(200)),),
    steps=(
        Step(
            "services",
            title="STRICT, and pods' addresses at a port that clients know as HTTP",
            apply=("traps/pod-address/services.yaml",),
            settle=(Settle(HEADLESS, status(200)), Settle(BY_ADDRESS, status(503))),
        ),
        Step(
            "registry-only",
            title="A pod's address, where only registered hosts are let out",
            apply=("traps/pod-address/registry-only.yaml",),
            settle=(Settle(BY_ADDRESS, status(502)),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-POD-04", LEGACY.get(URL, dial=Dial.POD), reset(), before=status(200), twin=MUTUAL),
    Case(
        "X-TRAP-POD-04",
        LEGACY.get(f"{LEDGER_AUDIT}/ip", dial=Dial.POD),
        reset(),
        before=status(200),
        twin=MESH.get(f"http://{LEDGER}/ip"),
        variant="undeclared port",
    ),
    Case("X-TRAP-POD-05", BY_ADDRESS, CUT, twin=MUTUAL),
    Case("X-TRAP-POD-01", BY_ADDRESS, status(503), twin=MUTUAL, step="services"),
    Case("X-TRAP-POD-02", MESH.get(DIRECT, dial=Dial.POD_WITH_HOST), status(200), step="services"),
    Case("X-TRAP-POD-03", HEADLESS, status(200), step="services"),
    Case("X-TRAP-POD-06", BY_ADDRESS, status(502), twin=MUTUAL, step="registry-only"),
]


def test_case(case, prove):
    prove(case)
