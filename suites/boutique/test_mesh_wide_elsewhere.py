"""The mesh-wide policy in a namespace other than the root: it applies there, and nowhere else."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Stage
from suites.boutique.workloads import CATALOG, CATALOG_PLAIN, ENVIRONMENT, PLAIN, url

PLAIN_TO_AD = CATALOG_PLAIN.get(url("ad"))
STAGE = Stage(
    "shop-mesh-wide-elsewhere",
    title="Boutique: a mesh-wide policy outside the root namespace stays local",
    environment=ENVIRONMENT,
    apply=("boutique/not-mesh-wide/mesh-wide.yaml",),
    settle=(Settle(PLAIN_TO_AD, reset()),),
)

CASES = [
    Case("BTQ-MESH-04", PLAIN, status(200), before=status(200)),
    Case("X-BTQ-MESH-01", PLAIN_TO_AD, reset(), before=status(200), twin=CATALOG.get(url("ad"))),
]


def test_case(case, prove):
    prove(case)
