"""The destination rule with the host that the document means: sidecars call the frontend by mutual TLS."""

from __future__ import annotations

import pytest

from clients.mesh import sidecar
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.boutique.outbound import FRONTEND_CLUSTER, frontend_cluster, mutual_tls_problem, rule_of
from suites.boutique.workloads import CATALOG, ENVIRONMENT, MUTUAL, PLAIN

STAGE = Stage(
    "one-workload-rule-corrected",
    title="Boutique: a destination rule makes sidecars use mutual TLS",
    environment=ENVIRONMENT,
    apply=("boutique/workload-strict/frontend.yaml", "boutique/workload-rule-corrected/rule.yaml"),
    settle=(Settle(PLAIN, reset(), before=status(200)),),
)


@pytest.mark.control("BTQ-WL-07")
def test_sidecars_speak_mutual_tls(observe, stage):
    rig = stage.rig

    def problem():
        [outcome] = rig.prober.probe(MUTUAL, "BTQ-WL-07")
        if outcome.status != 200:
            return f"the call through the sidecar saw {outcome.summary}"
        for pod in rig.workloads.pods(CATALOG):
            found = frontend_cluster(rig, sidecar.config_dump(rig.cluster, pod))
            if found is None or not rule_of(found):
                return f"{pod} has no cluster {FRONTEND_CLUSTER} of the rule"
            if wrong := mutual_tls_problem(found):
                return f"{pod}: {wrong}"
        return None

    observe("BTQ-WL-07", "200, and the cluster has one TLS transport socket with the mesh's certificate", problem)
