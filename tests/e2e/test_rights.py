"""The shipped roles are enough and no other right is used: the whole catalogue, on a stand-in for a live target.

The identity reaches the embedded cluster by a kubeconfig of its own, as a user's cluster is reached.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import PYTEST, EndedRun, start

from clients.apply.overlay import MANAGED_BY_LABEL, MANAGER
from clients.kube.cluster import Cluster
from clients.model.errors import ClusterError
from clients.model.known import EMBEDDED
from clients.model.polling import poll
from runner.config.rights import wanted
from runner.config.settings import ROOT
from testbed import api
from tests.mutants.workloads import identity
from tests.rights.covers import covers
from tests.rights.requests import Asked

pytestmark = pytest.mark.e2e

WHOLE_S = 1800.0
"""Time limit of a run of everything; it takes five minutes on an idle machine of two cores."""
KNOWN: dict[str, str] = {}
"""Cases that do not pass on a live cluster with any rights, and why."""
ANYBODYS = ("create", "authorization.k8s.io", "selfsubjectaccessreviews")
"""What one may do oneself, which every identity may ask (Kubernetes' own ClusterRole `system:basic-user`)."""
REFUSED_BY_POD_SECURITY = ("patch", "", "pods")
"""Pod Security Admission refuses by 403 too; cases expect that."""


ANY_ROLE, WIDE_ROLE = frozenset({"namespaced", "mesh-wide"}), frozenset({"mesh-wide"})


def by_shipped_role(cluster: Cluster, testbed: api.Up, scratch: Path, *, mesh_wide: bool) -> EndedRun:
    """The whole catalogue."""
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    (scratch / "requests").mkdir()
    recorded = ("-p", "tests.rights.plugin", "--requests", str(scratch / "requests"))
    with identity.restricted(cluster, scratch, mesh_wide=mesh_wide) as kubeconfig:
        where = ("--kubeconfig", str(kubeconfig), "--context", identity.NAME)
        more = ("--allow-mesh-wide",) if mesh_wide else ()
        patience = ("--budget", "60")  # this tests permissions, not speed
        words = (*PYTEST, "suites", "--out", "{out}", *recorded, *where, *more, *patience, "-n", "2")
        # For a live target the project's own list does not count, unless a user states the same; its form is that of
        # a settings file.
        known = {"MESHPROOF_CONFIG": str(ROOT / EMBEDDED)}
        return start(scratch, *words, environment=images | known).end(WHOLE_S)


def requests(scratch: Path) -> Counter[tuple[Asked, bool]]:
    """The requests of all its processes, each with whether it was refused."""
    found: Counter[tuple[Asked, bool]] = Counter()
    for file in (scratch / "requests").glob("*.json"):
        for *what, refused, count in json.loads(file.read_text(encoding="utf-8")):
            found[Asked(*what), refused] += count
    return found


@pytest.mark.nightly
@pytest.mark.parametrize("mesh_wide", [False, True], ids=["namespaced", "mesh-wide"])
def test_the_whole_catalogue_is_proven_by_the_shipped_role(
    mesh_wide: bool, cluster: Cluster, testbed: api.Up, tmp_path: Path
) -> None:
    ran = by_shipped_role(cluster, testbed, tmp_path, mesh_wide=mesh_wide)
    asked = requests(tmp_path)
    rights = wanted(mesh_wide=mesh_wide)
    assert len(asked) > 50, "the recorder saw the run"
    asked = [(one, no) for one, no in asked if one[:3] != ANYBODYS]
    assert {one for one, _ in asked if not any(covers(right, *one) for right in rights)} == set(), "not in the table"
    refused = {one[:3] for one, no in asked if no} - {REFUSED_BY_POD_SECURITY}
    assert refused == set(), "in the table, and refused all the same"

    bad = {name: ran.cases[name]["reason"] for name, one in ran.verdicts.items() if one in {"fail", "inconclusive"}}
    assert {name: why for name, why in bad.items() if name not in KNOWN} == {}
    skipped = [case["reason"] for case in ran.cases.values() if case["verdict"] == "skip"]
    assert not [why for why in skipped if "may not" in why or "forbidden" in why]
    assert len(ran.cases) - len(skipped) > (1100 if mesh_wide else 700)
    assert (ran.code != 0) == bool(bad), ran.output[-3000:]


def strict(namespace: str) -> dict[str, Any]:
    meta = {"name": "strict", "namespace": namespace}
    mtls = {"mtls": {"mode": "PERMISSIVE"}}
    return {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": meta, "spec": mtls}


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def lease(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": {}}


THEIRS = "e2e-theirs"
OWN = {MANAGED_BY_LABEL: MANAGER}
TRIED: dict[str, tuple[Callable[[Cluster], object], frozenset[str]]] = {
    "a namespace of its own": (lambda as_it: as_it.apply(namespace("mp-tried", **OWN), manager="e2e"), ANY_ROLE),
    "a policy in it": (lambda as_it: as_it.apply(strict("mp-tried"), manager="e2e"), ANY_ROLE),
    "a policy in a namespace of others": (lambda as_it: as_it.apply(strict(THEIRS), manager="e2e"), frozenset()),
    "a policy of the whole mesh": (lambda as_it: as_it.apply(strict("istio-system"), manager="e2e"), WIDE_ROLE),
    "a namespace without the label": (lambda as_it: as_it.apply(namespace("mp-other"), manager="e2e"), frozenset()),
    "a namespace of others, made its own": (
        lambda as_it: as_it.apply(namespace(THEIRS, **OWN), manager="e2e"),
        frozenset(),
    ),
    "the deletion of a namespace of others": (
        lambda as_it: as_it.delete("v1", "Namespace", THEIRS),
        frozenset(),
    ),
    "another's lease": (lambda as_it: as_it.create(lease("theirs")), frozenset()),
}
"""In this order: what is tried with the account, and which roles allow it."""


CONFINED = "writes in namespaces of its own runs only"


def _tried(do: Callable[[Cluster], object], account: Cluster) -> str:
    """Empty when it was allowed; else the reason, of the admission policy or another."""
    try:
        do(account)
    except ClusterError as error:
        return CONFINED if CONFINED in error.message else error.message
    return ""


def _gone(cluster: Cluster, name: str) -> bool:
    return cluster.get("v1", "Namespace", name) is None


@pytest.mark.parametrize("mesh_wide", [False, True], ids=["namespaced", "mesh-wide"])
def test_the_account_writes_in_its_own_namespaces_only(mesh_wide: bool, cluster: Cluster, tmp_path: Path) -> None:
    role = "mesh-wide" if mesh_wide else "namespaced"
    with identity.restricted(cluster, tmp_path, mesh_wide=mesh_wide) as kubeconfig:
        account = Cluster.connect(kubeconfig)
        cluster.create(namespace(THEIRS))
        try:
            done = {what: _tried(do, account) for what, (do, _) in TRIED.items()}
            assert done == {what: "" if role in roles else CONFINED for what, (_, roles) in TRIED.items()}
        finally:
            cluster.delete("security.istio.io/v1", "PeerAuthentication", "strict", "istio-system")
            for made in ("mp-tried", "mp-other", THEIRS):
                cluster.delete("v1", "Namespace", made)
                assert poll(partial(_gone, cluster, made), time.monotonic() + 60)
            cluster.delete("coordination.k8s.io/v1", "Lease", "theirs", "default")
