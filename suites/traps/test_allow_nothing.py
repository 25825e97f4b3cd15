"""An ALLOW without rules lets no client in, and another ALLOW adds to it."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import no_reply, rbac_denied, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Dial
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEDGER, LEDGER_AUDIT, LEGACY, MESH, TRADER

MUTUAL = MESH.get(f"{HTTPBIN}/ip")
PLAIN = LEGACY.get(f"{HTTPBIN}/ip")
AS_TCP = MESH.get(f"http://{LEDGER}/ip")
UNDECLARED = LEGACY.get(f"{LEDGER_AUDIT}/ip", dial=Dial.POD)
HEALTH = LEGACY.get(f"{HTTPBIN}/status/200")
OTHER = TRADER.get(f"{HTTPBIN}/ip")
NOTHING = no_reply(OutcomeKind.EMPTY_REPLY)

STAGE = Stage(
    "traps-allow-nothing",
    title="ALLOW without rules in a PERMISSIVE namespace",
    environment=ENVIRONMENT,
    apply=("traps/allow-nothing/allow-nothing.yaml",),
    settle=(Settle(MUTUAL, rbac_denied(), before=status(200)),),
    reachable=(TRADER.get("http://httpbin.legacy-service:8000/ip"),),
    steps=(
        Step(
            "one-client",
            title="ALLOW without rules, and ALLOW for one namespace",
            apply=("traps/allow-nothing/one-client.yaml",),
            settle=(Settle(MUTUAL, status(200)),),
        ),
    ),
)

CASES = [  # the first six have no twin: no client reaches the server, which then answers its own pod
    Case("X-TRAP-NOTHING-01", MUTUAL, rbac_denied(), before=status(200), variant="mutual TLS"),
    Case("X-TRAP-NOTHING-01", PLAIN, rbac_denied(), before=status(200), variant="plaintext"),
    Case("X-TRAP-NOTHING-01", AS_TCP, NOTHING, before=status(200), variant="plain TCP"),
    Case("X-TRAP-NOTHING-01", replace(PLAIN, method="OPTIONS"), rbac_denied(), before=status(200), variant="preflight"),
    Case("X-TRAP-NOTHING-01", HEALTH, rbac_denied(), before=status(200), variant="a path of health checks"),
    Case("X-TRAP-NOTHING-01", UNDECLARED, rbac_denied(), before=status(200), variant="undeclared port"),
    Case("X-TRAP-NOTHING-02", MUTUAL, status(200), step="one-client"),
    Case("X-TRAP-NOTHING-03", PLAIN, rbac_denied(), twin=MUTUAL, step="one-client"),
    Case("X-TRAP-NOTHING-03", OTHER, rbac_denied(), twin=MUTUAL, step="one-client", variant="another identity"),
]


def test_case(case, prove):
    prove(case)
