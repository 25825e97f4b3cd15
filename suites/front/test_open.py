"""Before any policy: the gateway has an address, and routes by path."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.errors import InfrastructureError
from clients.model.expect import no_reply
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.service_type import NO_ADDRESS
from clients.model.stage import Stage
from suites.front.door import ISTIO
from suites.front.matrix import open_cases
from suites.front.workloads import ENVIRONMENT, GATEWAY, HTTPS, NOT_FOUND, SHOWS_SECRET, call

STAGE = Stage(
    "front-open", title="Front door without policies: it has an address and routes by path", environment=ENVIRONMENT
)

SECURE = call()
OVER_TLS = call(base=HTTPS)

CASES = [
    *open_cases(ISTIO),
    Case("CRA-ROUTE-03", call("/api"), NOT_FOUND, twin=SECURE, twin_expect=SHOWS_SECRET),
    *(
        Case(
            "X-DOOR-TLS-01",
            replace(OVER_TLS, tls_max=version),
            no_reply(OutcomeKind.TLS_ERROR),
            twin=replace(OVER_TLS, tls_max="1.2"),
            twin_expect=SHOWS_SECRET,
            logged=(AccessLogExpectation(Proxy.CLIENT, absent=True),),
            variant=version,
        )
        for version in ("1.0", "1.1")
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("CRA-GW-01")
def test_the_gateway_gets_an_external_address(observe, stage):
    rig = stage.rig
    namespace = rig.overlay.namespace(GATEWAY.namespace)

    def problem():
        service = rig.cluster.get("v1", "Service", GATEWAY.app, namespace)
        given = (service or {}).get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
        address = given[0].get("ip") or given[0].get("hostname") or ""
        if not address:
            raise InfrastructureError("EXTERNAL-IP of istio-ingress is <pending>", NO_ADDRESS)
        if address in (service or {})["spec"].get("clusterIPs", ()):
            return f"{address} is not outside the cluster"
        [outcome] = rig.prober.probe(SECURE, "CRA-GW-01")
        return None if outcome.status else f"no answer at {address}: {outcome.summary}"

    observe("CRA-GW-01", "the load balancer's address is set, and the gateway answers there", problem)
