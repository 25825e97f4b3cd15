"""The shipped roles are enough and no more is asked for: the whole catalogue by them, on a stand-in for a live target.

The identity reaches the embedded cluster by a kubeconfig of its own, as a user's cluster is reached.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from e2e_runs import Ran, conform

from clients.kube.cluster import Cluster
from runner.config.rights import wanted
from testbed import api
from tests.mutants import identity
from tests.rights.requests import Asked

pytestmark = pytest.mark.e2e

KNOWN: dict[str, str] = {}
"""Cases that do not pass on a live cluster whatever the identity may do, and why."""
REFUSED_BY_POD_SECURITY = ("patch", "", "pods")
"""Pod Security Admission refuses by 403 too; cases want it to."""


def by_shipped_role(cluster: Cluster, testbed: api.Up, scratch: Path, *, mesh_wide: bool) -> Ran:
    """The whole catalogue."""
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    (scratch / "requests").mkdir()
    recorded = ("-p", "tests.rights.plugin", "--requests", str(scratch / "requests"))
    with identity.restricted(cluster, scratch, mesh_wide=mesh_wide) as kubeconfig:
        where = ("--kubeconfig", str(kubeconfig), "--context", identity.NAME)
        more = ("--allow-mesh-wide",) if mesh_wide else ()
        return conform(scratch, *recorded, *where, *more, "-n", "2", environment=images, suite="suites")


def requests(scratch: Path) -> Counter[tuple[Asked, bool]]:
    """What all its processes asked for, and whether that was refused."""
    found: Counter[tuple[Asked, bool]] = Counter()
    for file in (scratch / "requests").glob("*.json"):
        for *what, refused, count in json.loads(file.read_text(encoding="utf-8")):
            found[Asked(*what), refused] += count
    return found


@pytest.mark.parametrize("mesh_wide", [False, True], ids=["namespaced", "mesh-wide"])
def test_the_whole_catalogue_is_proven_by_the_shipped_role(
    mesh_wide: bool, cluster: Cluster, testbed: api.Up, tmp_path: Path
) -> None:
    ran = by_shipped_role(cluster, testbed, tmp_path, mesh_wide=mesh_wide)
    asked = requests(tmp_path)
    rights = wanted(mesh_wide=mesh_wide)
    assert len(asked) > 50, "the recorder saw the run"
    outside = {str(one) for one, _ in asked if not any(right.covers(*one) for right in rights)}
    assert outside == set(), "asked for, and not in the table"
    refused = {one[:3] for one, no in asked if no} - {REFUSED_BY_POD_SECURITY}
    assert refused == set(), "in the table, and refused all the same"

    bad = {name: case["reason"] for name, case in ran.cases.items() if case["verdict"] in {"fail", "inconclusive"}}
    assert {name: why for name, why in bad.items() if name not in KNOWN} == {}
    skipped = [case["reason"] for case in ran.cases.values() if case["verdict"] == "skip"]
    assert not [why for why in skipped if "may not" in why or "forbidden" in why]
    assert len(ran.cases) - len(skipped) > (1100 if mesh_wide else 700)
    assert ran.code == (1 if bad else 0), ran.output[-3000:]
