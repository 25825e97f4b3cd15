"""A field of HTTP in a rule for a TCP port: DENY refuses every connection, ALLOW allows none."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import body_contains, closed, no_reply, rbac_denied, received, status
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEDGER, MESH, TRADER

RAW = MESH.tcp(LEDGER, "GET /{id}\r\n")
TO_LEDGER, OF_TRADER = MESH.get(f"http://{LEDGER}/get"), TRADER.get(f"http://{LEDGER}/get")
NOTHING = no_reply(OutcomeKind.EMPTY_REPLY)
ANSWERED = received(body_contains("400 Bad Request"))
ADMIN = MESH.get(f"{HTTPBIN}/admin")
GET = MESH.get(f"{HTTPBIN}/get")

STAGE = Stage(
    "traps-http-fields-on-tcp",
    title="DENY by path for a whole namespace, one of whose ports is TCP",
    environment=ENVIRONMENT,
    apply=("traps/http-fields-on-tcp/deny-admin-everywhere.yaml",),
    settle=(Settle(ADMIN, rbac_denied(), before=status(404)), Settle(RAW, closed(), before=ANSWERED)),
    steps=(
        Step(
            "httpbin",
            title="DENY by path for the workload that speaks HTTP",
            apply=("traps/http-fields-on-tcp/deny-admin-of-httpbin.yaml",),
            settle=(Settle(RAW, ANSWERED),),
        ),
        Step(
            "allow",
            title="ALLOW by method for a workload that speaks TCP",
            apply=("traps/http-fields-on-tcp/allow-get-on-tcp.yaml",),
            settle=(Settle(RAW, closed()),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-TCP-01", GET, status(200)),
    Case("X-TRAP-TCP-02", ADMIN, rbac_denied(), twin=GET),
    Case("X-TRAP-TCP-02", MESH.get(f"{HTTPBIN}/admin/users"), rbac_denied(), twin=GET, variant="below the path"),
    Case("X-TRAP-TCP-02", MESH.get(f"{HTTPBIN}/admin?x=1"), rbac_denied(), twin=GET, variant="with a query"),
    Case("X-TRAP-TCP-02", replace(ADMIN, method="POST"), rbac_denied(), twin=GET, variant="by another method"),
    Case("X-TRAP-TCP-02", ADMIN, rbac_denied(), twin=GET, step="httpbin", variant="of HTTP alone"),
    Case("X-TRAP-TCP-03", TO_LEDGER, NOTHING, before=status(200), twin=OF_TRADER),
    Case("X-TRAP-TCP-04", TO_LEDGER, status(200), step="httpbin"),
    Case("X-TRAP-TCP-04", RAW, ANSWERED, step="httpbin", variant="bytes"),
    Case("X-TRAP-TCP-05", TO_LEDGER, NOTHING, twin=OF_TRADER, step="allow"),
]


def test_case(case, prove):
    prove(case)
