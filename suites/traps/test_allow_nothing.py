"""An ALLOW without rules lets no client in, and another ALLOW adds to it."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEGACY, MESH

MUTUAL = MESH.get(f"{HTTPBIN}/ip")
PLAIN = LEGACY.get(f"{HTTPBIN}/ip")

STAGE = Stage(
    "traps-allow-nothing",
    title="ALLOW without rules in a PERMISSIVE namespace",
    environment=ENVIRONMENT,
    apply=("traps/allow-nothing/allow-nothing.yaml",),
    settle=(Settle(MUTUAL, rbac_denied(), before=status(200)),),
    steps=(
        Step(
            "one-client",
            title="ALLOW without rules, and ALLOW for one namespace",
            apply=("traps/allow-nothing/one-client.yaml",),
            settle=(Settle(MUTUAL, status(200)),),
        ),
    ),
)

CASES = [  # the first two have no twin: no client reaches the server, which then answers its own pod
    Case("X-TRAP-NOTHING-01", MUTUAL, rbac_denied(), before=status(200), variant="mutual TLS"),
    Case("X-TRAP-NOTHING-01", PLAIN, rbac_denied(), before=status(200), variant="plaintext"),
    Case("X-TRAP-NOTHING-02", MUTUAL, status(200), step="one-client"),
    Case("X-TRAP-NOTHING-03", PLAIN, rbac_denied(), twin=MUTUAL, step="one-client"),
]


def test_case(case, prove):
    prove(case)
