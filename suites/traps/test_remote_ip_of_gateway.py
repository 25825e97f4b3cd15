"""An ingress gateway with no proxy in front does not believe the address that its client states."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.traps.test_remote_ip_at_gateway import HONEST, LYING
from suites.traps.workloads import ENVIRONMENT

FOR_ALL = replace(HONEST, url="http://httpbin.example.com/status/200")

STAGE = Stage(
    "traps-remote-ip-of-gateway",
    title="ALLOW by the stated address, at an ingress gateway itself",
    environment=(*ENVIRONMENT, "traps/ingress"),
    apply=("traps/remote-ip/at-the-gateway.yaml",),
    settle=(Settle(HONEST, rbac_denied(), before=status(200)),),
)

CASES = [Case("X-TRAP-REMOTE-10", LYING, rbac_denied(), before=status(200), twin=FOR_ALL)]


def test_case(case, prove):
    prove(case)
