"""An entry of TCP that goes where the client dials: the allowlist is void for the port."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.stage import Settle, Stage, Step
from suites.traps import test_tcp_service_entry as listed
from suites.traps.test_tcp_service_entry import FOREIGN
from suites.traps.workloads import TRADER

STAGE = Stage(
    "traps-tcp-service-entry-none",
    title="An allowlist with one entry of TLS, once more",
    environment=listed.STAGE.environment,
    apply=listed.STAGE.apply,
    needs=listed.STAGE.needs,
    settle=listed.STAGE.settle,
    steps=(
        Step(
            "none",
            title="An allowlist with one entry of TCP that goes where the client dials",
            apply=("traps/tcp-service-entry/tcp-by-none.yaml",),
            settle=(Settle(FOREIGN, status(200)),),
        ),
    ),
)

CASES = [
    Case(
        "X-TRAP-ENTRY-02",
        FOREIGN,
        status(200),
        arrival=ServerLogExpectation(TRADER, tls=True, sni="httpbin.org"),
        step="none",
    ),
]


def test_case(case, prove):
    prove(case)
