"""Behind an ingress gateway, `remoteIpBlocks` counts the address that the gateway saw, whatever its client states."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.probe import Probe, Workload
from clients.model.stage import Settle, Stage
from clients.probe.outside import through
from suites.traps.test_remote_ip import INSIDE, LIAR
from suites.traps.workloads import ENVIRONMENT, TRADER

OUTSIDE = through(Workload("traps-ingress", "istio-ingress", "istio-proxy"))
STATED = (("X-Forwarded-For", INSIDE),)
HONEST = Probe(OUTSIDE, "http://httpbin.example.com/ip", behind="httpbin.mtls-service")
LYING = replace(HONEST, headers=STATED)
FROM_HOP = replace(LIAR, source=TRADER)

UNBELIEVED = frozenset({"no-trusted-proxies"})

STAGE = Stage(
    "traps-remote-ip-at-gateway",
    title="ALLOW by the stated address, behind an ingress gateway",
    environment=(*ENVIRONMENT, "traps/ingress"),
    apply=("traps/remote-ip/remote-range.yaml",),
    settle=(Settle(HONEST, rbac_denied(), before=status(200)),),
)

CASES = [Case("X-TRAP-REMOTE-09", LYING, rbac_denied(), before=status(200), twin=FROM_HOP, needs=UNBELIEVED)]


def test_case(case, prove):
    prove(case)
