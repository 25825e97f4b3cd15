"""`ipBlocks` counts the address of the connection, which no header changes."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.traps.test_remote_ip import LIAR
from suites.traps.workloads import ENVIRONMENT, TRADER

STAGE = Stage(
    "traps-remote-ip-of-peer",
    title="ALLOW by the address of the connection",
    environment=ENVIRONMENT,
    apply=("traps/remote-ip/peer-range.yaml",),
    settle=(Settle(LIAR, rbac_denied(), before=status(200)),),
)

CASES = [Case("X-TRAP-REMOTE-05", LIAR, rbac_denied(), before=status(200), twin=replace(LIAR, source=TRADER))]


def test_case(case, prove):
    prove(case)
