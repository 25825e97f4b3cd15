"""Held traffic on the embedded cluster: nothing is lost, a leak of a moment is seen with its time, nothing is left."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import MESHPROOF, EndedRun, start

from clients.hold.flows import FLOWS
from clients.hold.held import SERVERS, require
from clients.kube.cleanup import cleanup
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGER

pytestmark = pytest.mark.e2e

POLICY = ("security.istio.io/v1", "AuthorizationPolicy", "server")
AWAY_S = 0.3
SLACK_S = 2.0
"""How much longer a leak may last than its cause: the policy leaves and comes back by way of istiod."""


def hold(folder: Path, *words: str) -> EndedRun:
    place = folder / str(time.monotonic_ns())
    place.mkdir()
    return start(place, *MESHPROOF, "hold", *words).end()


def account(ran: EndedRun) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(ran.output[ran.output.index("{") : ran.output.rindex("}") + 1])
    return read


def without_policy(cluster: Cluster, namespace: str) -> tuple[float, float]:
    """Take the servers' policy away for a moment; returns from when to when."""
    body = cluster.get(*POLICY, namespace)
    assert body is not None
    meta = body["metadata"]
    again = {**body, "metadata": {key: meta[key] for key in ("name", "namespace", "labels")}}
    began = time.time()
    cluster.delete(*POLICY, namespace)
    time.sleep(AWAY_S)
    cluster.apply(again, manager=MANAGER)
    return began, time.time()


def test_a_leak_of_a_moment_is_seen_with_its_time_and_nothing_is_left(cluster: Cluster, tmp_path: Path) -> None:
    """From the command line, in processes of their own: the requests go on between them."""
    try:
        started = hold(tmp_path, "start")
        assert started.code == 0, started.output[-3000:]
        again = hold(tmp_path, "start")
        assert again.code == 2, again.output[-3000:]
        assert "traffic is held on this cluster already" in again.output
        held = require(cluster)
        marked = hold(tmp_path, "mark", "the policy goes")
        assert marked.code == 0, marked.output[-3000:]
        began, ended = without_policy(cluster, held.namespaces[SERVERS])
        time.sleep(SLACK_S)
        seen = hold(tmp_path, "stop", "--json")
    finally:
        cleanup(cluster)
    assert seen.code == 1, seen.output[-3000:]
    found = account(seen)
    flows = {one["name"]: one for one in found["flows"]}
    assert flows.keys() == {flow.name for flow in FLOWS}
    assert all(one["requests"] for one in flows.values()), "every flow sends"
    assert found["lost"] == 0, [one for one in flows.values() if one["lost"]]
    leak = flows["mesh-http1-denied"]
    (row,) = [row for row in leak["rows"] if row["outcome"] == "answered"]
    assert leak["leaks"] >= row["count"] >= 1
    assert began <= row["from"] <= row["to"] <= ended + SLACK_S
    others = [flow.name for flow in FLOWS if flow.denied and not flow.name.startswith("mesh-")]
    assert [flows[name]["leaks"] for name in others] == [0] * len(others), "other policies deny these"


def test_without_any_each_verb_says_so(cluster: Cluster, tmp_path: Path) -> None:
    checked = hold(tmp_path, "check")
    assert checked.code == 2, checked.output[-2000:]
    assert "no traffic is held on this cluster; start it by `meshproof hold start`" in checked.output
    assert hold(tmp_path, "stop").code == 0
