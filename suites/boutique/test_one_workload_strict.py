"""STRICT for the frontend's pods alone, with the document's destination rule, whose host matches no service."""

from __future__ import annotations

import pytest

from clients.mesh import sidecar
from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.boutique import inbound
from suites.boutique.outbound import FRONTEND_CLUSTER, frontend_cluster, rule_of
from suites.boutique.workloads import (
    CATALOG,
    CATALOG_PLAIN,
    ECHO,
    ENVIRONMENT,
    MUTUAL,
    PLAIN,
    THROUGH_GATEWAY,
    direct_refused,
    shop,
    url,
)

STAGE = Stage(
    "one-workload-strict",
    title="Boutique: STRICT for the frontend's pods only",
    environment=ENVIRONMENT,
    apply=("boutique/workload-strict/frontend.yaml", "boutique/workload-strict/rule-as-printed.yaml"),
    settle=(Settle(PLAIN, reset()),),
)

PLAIN_TO_ECHO = CATALOG_PLAIN.get(url("frontend", app=ECHO))
NO_SUCH_HOST = "IST0174"
"""Code of istioctl's message: a destination rule's host matches no service."""

CASES = [
    *direct_refused("BTQ-WL-01", "one workload"),
    Case("BTQ-WL-02", PLAIN, reset(), before=status(200), twin=MUTUAL),
    Case("BTQ-WL-03", PLAIN_TO_ECHO, status(200), before=status(200), variant="neighbour"),
    Case("BTQ-WL-03", CATALOG_PLAIN.get(url("ad")), status(200), before=status(200), variant="another namespace"),
    Case("BTQ-WL-04", THROUGH_GATEWAY, shop(), before=shop()),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("BTQ-WL-05")
def test_only_the_frontend_is_strict(observe, stage):
    wanted = inbound.everywhere("tls", "plaintext", but=("frontend",))
    expected = "the frontend's inbound listener has TLS filter chains only, every other's a plaintext one as well"
    observe("BTQ-WL-05", expected, lambda: inbound.problem(stage.rig, wanted))


@pytest.mark.control("BTQ-WL-06")
def test_the_rule_matches_no_service(observe, stage):
    rig = stage.rig

    def problem():
        for pod in rig.workloads.pods(CATALOG):
            found = frontend_cluster(rig, sidecar.config_dump(rig.cluster, pod))
            if found is None:
                return f"{pod} knows no cluster {FRONTEND_CLUSTER}"
            if rule := rule_of(found):
                return f"the cluster is configured by {rule}"
        messages = rig.analyzer.run(rig.overlay.namespace("frontend"))
        about = [one for one in messages if "DestinationRule" in one.origin and "/frontend" in one.origin]
        codes = {message.code for message in about}
        return None if NO_SUCH_HOST in codes else f"istioctl analyze reports {sorted(map(str, about)) or 'nothing'}"

    expected = f"no destination rule at the frontend's cluster, and istioctl analyze reports {NO_SUCH_HOST} for it"
    observe("BTQ-WL-06", expected, problem)
