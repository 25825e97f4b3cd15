"""The testbed that all end-to-end tests share, and the check that each leaves it as it was."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import CACHE, MESHPROOF, start

from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.probe.browser import Browser
from runner.target.in_use import user_of
from testbed import api
from testbed.store import PartStore, cache_root
from tests import left_overs

pytest.register_assert_rewrite("kills")

MADE = f"{MANAGED_BY_LABEL}={MANAGER}"
KEPT = {
    "v1": ("Namespace",),
    "apps/v1": ("Deployment",),
    "security.istio.io/v1": ("PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"),
    "telemetry.istio.io/v1": ("Telemetry",),
    "networking.istio.io/v1": ("Gateway", "VirtualService", "DestinationRule", "ServiceEntry", "Sidecar"),
    "networking.istio.io/v1alpha3": ("EnvoyFilter",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "rbac.authorization.k8s.io/v1": ("ClusterRole", "ClusterRoleBinding"),
    "coordination.k8s.io/v1": ("Lease",),
}
"""Kinds that a run creates or could create. A Deployment counts with its replicas."""


@pytest.fixture(scope="session")
def testbed() -> Iterator[api.Up]:
    """The embedded cluster; stopped afterwards only if it did not run before."""
    ran = api.status().state == "up"
    yield api.up(None, lambda line: print(line, file=sys.stderr, flush=True), in_use=user_of)
    if not ran:
        api.down()


@pytest.fixture(scope="session")
def cluster(testbed: api.Up) -> Iterator[Cluster]:
    """The tests' own connection, as its administrator."""
    connection = Cluster.connect(testbed.kubeconfig)
    yield connection
    connection.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A separate cache for a second cluster, with the shared parts."""
    place = cache_root() / f"elsewhere-{os.getpid()}"
    (place / "testbed").mkdir(parents=True)
    (place / "testbed" / "parts").symlink_to(PartStore().root)
    environment = {CACHE: str(place)}
    (tmp_path / "down").mkdir()
    yield environment
    start(tmp_path / "down", *MESHPROOF, "down", environment=environment).end()
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The testbed's own browser, also where there is another; it opens what tests write into their `tmp_path`."""
    with Browser(str(api.make_browser(print)), {}, [tmp_path_factory.getbasetemp()]) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The cluster is as before when a test ends; what the test left is removed for the next one, and nothing else."""
    if request.node.get_closest_marker("e2e") is None:
        yield
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    before, found = inventory(cluster), find(cluster)
    yield
    left = left_overs.of_this_test(found, find(cluster), left_overs.others_run(cluster))
    left_overs.remove(cluster, left)
    assert not left, ", ".join(map(str, left))
    assert inventory(cluster) == before


def inventory(cluster: Cluster) -> list[str]:
    """The objects of the cluster that a run could change. What runs have made is not among them: `find` has it."""
    kinds = [(version, kind) for version, names in KEPT.items() for kind in names]
    of_runs = {one["metadata"]["name"] for one in cluster.objects("v1", "Namespace", labels=MADE)}
    return sorted(itertools.chain.from_iterable(_described(cluster, version, kind, of_runs) for version, kind in kinds))


def _described(cluster: Cluster, version: str, kind: str, of_runs: set[str]) -> Iterator[str]:
    for body in cluster.objects(version, kind):
        meta: dict[str, Any] = body["metadata"]
        if meta.get("labels", {}).get(MANAGED_BY_LABEL) == MANAGER or meta.get("namespace") in of_runs:
            continue
        if meta.get("namespace") == "kube-node-lease" or (kind, meta.get("namespace")) == ("Lease", "kube-system"):
            continue  # of nodes, and of the control plane itself, which makes its own only some seconds after a start
        replicas = f" x{body['spec'].get('replicas', 1)}" if kind == "Deployment" else ""
        yield f"{kind} {meta.get('namespace', '')}/{meta['name']}{replicas}"
