"""STRICT everywhere, and callers of the frontend require a name that its certificate does not have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.kube.pods import SIDECAR
from clients.mesh import sidecar
from clients.mesh.access_logs import accesslog
from clients.model.case import Case
from clients.model.expect import status
from clients.model.stage import Settle
from suites.boutique.workloads import (
    DIRECT_IN_MESH,
    EVERY_NAMESPACE_STRICT,
    MUTUAL,
    THROUGH_GATEWAY,
    VISITOR_AT_GATEWAY,
    shop,
    strict_stage,
)

STAGE = replace(
    strict_stage("wrong-identity", title="Boutique: callers require an identity that the frontend lacks"),
    apply=(*EVERY_NAMESPACE_STRICT, "boutique/wrong-identity/rule.yaml"),
    settle=(Settle(THROUGH_GATEWAY, status(503)),),
)

# The same pods through the same gateway, by another Service, which the rule does not cover.
AS_ANOTHER_SERVICE = replace(THROUGH_GATEWAY, headers=(("x-route", "external"),))

BY_GATEWAY = Case("BTQ-NS-07", THROUGH_GATEWAY, status(503), before=shop(), twin=AS_ANOTHER_SERVICE, twin_expect=shop())
CASES = [BY_GATEWAY, replace(BY_GATEWAY, probe=MUTUAL, twin=DIRECT_IN_MESH, variant="from a sidecar")]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("X-BTQ-INGRESS-02")
def test_the_gateway_logs_the_reason(observe, stage):
    rig = stage.rig
    sent: set[str] = set()

    def problem():
        sent.update(one.request_id for one in rig.prober.probe(THROUGH_GATEWAY, "X-BTQ-INGRESS-02"))
        lines = [
            line
            for pod in rig.workloads.pods(VISITOR_AT_GATEWAY)
            for line in sidecar.log_lines(rig.cluster, pod, SIDECAR, since_s=stage.since_s())
        ]
        # by the user agent: a gateway at the edge gives a request from outside an id of its own
        found = accesslog.parse(line for line in lines if any(one in line for one in sent))
        wrong = [entry.raw for entry in found if "UF" not in entry.flags.split(",")]
        if not found or wrong:
            return f"the gateway's log has {wrong or 'no entry of the requests'}"
        return next((entry.raw for entry in found if "CERTIFICATE_VERIFY_FAILED" not in entry.raw.upper()), None)

    observe("X-BTQ-INGRESS-02", "503, flag UF, certificate verification failed, in the gateway's log", problem)
