"""At a workload, `remoteIpBlocks` believes what the caller says; `ipBlocks` does not."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, MESH, TRADER

INSIDE, ELSEWHERE = "198.51.100.7", "100.64.7.9"
"""In no cluster: of a range for documentation (RFC 5737), as pods may have addresses of 100.64.0.0/10 (RFC 6598)."""
BEGINS_ALIKE = "198.18.7.9"
"""Of a range for benchmarks (RFC 2544), whose first number is that of the office's."""


def saying(*addresses: str):
    return MESH.get(f"{HTTPBIN}/ip", headers=(("X-Forwarded-For", ", ".join(addresses)),))


HONEST, LIAR = MESH.get(f"{HTTPBIN}/ip"), saying(INSIDE)
FROM_HOP = replace(LIAR, source=TRADER)

STAGE = Stage(
    "traps-remote-ip",
    title="ALLOW by the address that the caller states",
    environment=ENVIRONMENT,
    apply=("traps/remote-ip/remote-range.yaml",),
    settle=(Settle(HONEST, rbac_denied(), before=status(200)),),
    steps=(
        Step(
            "hop",
            title="ALLOW by that address from a trusted hop alone",
            apply=("traps/remote-ip/only-the-gateway.yaml",),
            settle=(Settle(LIAR, rbac_denied()),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-REMOTE-01", HONEST, rbac_denied(), before=status(200), twin=LIAR),
    Case("X-TRAP-REMOTE-02", LIAR, status(200)),
    Case("X-TRAP-REMOTE-03", saying(ELSEWHERE, INSIDE), status(200)),
    Case("X-TRAP-REMOTE-04", saying(INSIDE, ELSEWHERE), rbac_denied(), twin=LIAR),
    Case("X-TRAP-REMOTE-04", saying(BEGINS_ALIKE), rbac_denied(), twin=LIAR, variant="an address that begins alike"),
    Case("X-TRAP-REMOTE-06", LIAR, rbac_denied(), twin=FROM_HOP, step="hop"),
    Case("X-TRAP-REMOTE-07", FROM_HOP, status(200), step="hop"),
    Case("X-TRAP-REMOTE-08", TRADER.get(f"{HTTPBIN}/ip"), rbac_denied(), twin=FROM_HOP, step="hop"),
]


def test_case(case, prove):
    prove(case)
