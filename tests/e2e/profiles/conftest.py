"""Proving clusters for their tests: each is started as a user starts it, and a workload of others is in it."""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.kube.cleanup import cleanup, find
from clients.kube.cluster import Cluster
from clients.model.polling import poll
from runner.target.in_use import user_of
from testbed.profiles import manager, table
from testbed.profiles.manager import ProfileUp

FOREIGN = Path(__file__).parent / "foreign.yaml"
"""Workloads and policies that are not the harness's; a run must leave them alone."""


@pytest.fixture(scope="module", params=list(table.PROFILES))
def profile(request: pytest.FixtureRequest) -> Iterator[ProfileUp]:
    """The profile, up; stopped afterwards only if it was not up before."""
    name = request.param
    was = manager.status(name).state
    yield manager.up(name, None, lambda line: print(line, file=sys.stderr, flush=True), user_of)
    if was != "up":
        manager.down(name, print)


@pytest.fixture(scope="module")
def administrator(profile: ProfileUp) -> Iterator[Cluster]:
    """The tests' own connection."""
    connection = Cluster.connect(Path(profile.administrator))
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """In place of the check of the shared testbed, which these tests do not use; `foreign` checks the profile's."""


@pytest.fixture
def foreign(administrator: Cluster, profile: ProfileUp) -> Iterator[None]:
    """Others' workloads are as before when the test ends, and nothing of a run is left."""
    given = tomllib.loads(Path(profile.settings).read_text(encoding="utf-8"))
    text = FOREIGN.read_text(encoding="utf-8").replace("IMAGE", given["images"]["sleep"])
    objects = [body for body in yaml.safe_load_all(text) if body]
    objects += _pull_secret(administrator, objects, given.get("pods", {}).get("pull_secret", ""))
    for body in objects:
        administrator.apply(body, manager="others")
    namespace = objects[0]["metadata"]["name"]
    started = partial(_started, administrator, namespace)
    assert poll(started, time.monotonic() + 180), "their containers would else appear meanwhile"
    before = _state(administrator)
    yield
    left = [str(one) for one in find(administrator)]
    if left:
        cleanup(administrator)
    after = _state(administrator)
    administrator.delete("v1", "Namespace", namespace)
    gone = partial(_gone, administrator, namespace)
    assert poll(gone, time.monotonic() + 90)
    assert not left
    assert after == before


def _pull_secret(cluster: Cluster, objects: list[dict[str, Any]], named: str) -> list[dict[str, Any]]:
    """A copy of the profile's for them, which their account then uses; no run has pulled their image yet."""
    if not named:
        return []
    namespace, _, name = named.partition("/")
    found = cluster.get("v1", "Secret", name, namespace)
    assert found is not None, named
    account = next(body for body in objects if body["kind"] == "ServiceAccount")
    account["imagePullSecrets"] = [{"name": name}]
    meta = {"name": name, "namespace": account["metadata"]["namespace"]}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": found["type"], "data": found["data"]}]


def _started(cluster: Cluster, namespace: str) -> bool:
    pods = cluster.pods(namespace)
    return bool(pods) and all(pod.ready for pod in pods)


def _gone(cluster: Cluster, namespace: str) -> bool:
    return cluster.get("v1", "Namespace", namespace) is None


def _state(cluster: Cluster) -> dict[str, Any]:
    """Policies with their content, and the restarts of every container, of all that is not a run's."""
    policies = {}
    for kind in ("PeerAuthentication", "AuthorizationPolicy", "RequestAuthentication"):
        for body in cluster.objects("security.istio.io/v1", kind):
            policies[kind, body["metadata"]["namespace"], body["metadata"]["name"]] = body["spec"]
    restarts = {
        (pod["metadata"]["namespace"], pod["metadata"]["name"], one["name"]): one["restartCount"]
        for pod in cluster.objects("v1", "Pod")
        for one in pod["status"].get("containerStatuses", ())
    }
    return {"policies": policies, "restarts": restarts}
