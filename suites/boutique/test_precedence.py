"""A port's mode overrides its workload's, that its namespace's, that the mesh's: with no mesh mode, then with each."""

from __future__ import annotations

import pytest

from clients.mesh import sidecar
from clients.model.expect import reset
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage
from suites.boutique import inbound, precedence
from suites.boutique.workloads import ECHO, ENVIRONMENT, OUTSIDE, url

STAGE = Stage(
    "precedence",
    title="Precedence of mTLS modes by port, workload and namespace",
    environment=ENVIRONMENT,
    apply=precedence.MANIFESTS,
    settle=(Settle(OUTSIDE.get(url("shipping")), reset()),),
    steps=precedence.STEPS,
)

TABLES = [
    precedence.table("X-BTQ-LEVEL-01", precedence.UNSET),
    precedence.table("X-BTQ-LEVEL-02", precedence.STRICT),
    precedence.table("X-BTQ-LEVEL-03", precedence.PERMISSIVE),
    precedence.table("X-BTQ-LEVEL-04", precedence.DISABLE),
]
DISABLED = Workload("frontend", ECHO, "porter")


@pytest.mark.control("X-BTQ-DISABLE-01")
def test_disable_opens_to_plaintext_and_closes_to_mutual_tls(observe, stage):
    rig = stage.rig

    def problem():
        for pod in rig.workloads.pods(DISABLED):
            ways = inbound.accepts(sidecar.config_dump(rig.cluster, pod), 7001)
            if ways != {"plaintext"}:
                return f"{pod} accepts {' and '.join(sorted(ways)) or 'nothing'}"
        return None

    observe(
        "X-BTQ-DISABLE-01",
        f"the workload {DISABLED.app} of {DISABLED.namespace} has a plaintext filter chain only",
        problem,
    )


def test_table(table, prove_table):
    prove_table(table)
