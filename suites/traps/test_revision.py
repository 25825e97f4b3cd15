"""A policy with the label of another revision: the proxies of this one never see it."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, MESH

GUARDED = MESH.get(f"{HTTPBIN}/headers")

STAGE = Stage(
    "traps-revision",
    title="Two policies, one of them for another revision",
    environment=ENVIRONMENT,
    apply=("traps/revision/other-revision.yaml", "traps/revision/own-revision.yaml"),
    settle=(Settle(GUARDED, rbac_denied(), before=status(200)),),
)

CASES = [
    Case("X-TRAP-REVISION-01", MESH.get(f"{HTTPBIN}/ip"), status(200)),
    Case("X-TRAP-REVISION-02", GUARDED, rbac_denied(), before=status(200), twin=MESH.get(f"{HTTPBIN}/ip")),
]


def test_case(case, prove):
    prove(case)
