"""A rehearsal with another cluster's mesh: both control planes get it, and what they do not get is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.model.errors import ClusterError
from runner.upgrade import own_cluster, rehearsal
from testbed.api import Status
from testbed.like import SCHEMA, Carried
from testbed.profiles import manager

pytestmark = pytest.mark.unit
FILE = yaml.safe_dump({"schema": SCHEMA, "meshConfig": {"enableTracing": True}})


class _Canary:
    """Two control planes of one container each; a policy named `bad` is refused."""

    def __init__(self, *revisions: str) -> None:
        self.revisions = revisions
        self.patched: dict[str, Any] = {}
        self.applied: list[str] = []

    def get(self, _: str, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        assert namespace == "istio-system"
        if name.split("-", 1)[1] not in self.revisions:
            return None
        if kind == "ConfigMap":
            return {"metadata": {"name": name}, "data": {"mesh": "defaultConfig: {concurrency: 2, holdIt: true}"}}
        env = [{"name": "A", "value": "own"}, {"name": "REVISION", "value": name}]
        pod = {"containers": [{"name": "discovery", "env": env}]}
        return {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}}

    def patch(self, _: str, kind: str, name: str, namespace: str, body: Any) -> None:
        self.patched[name] = body

    def apply(self, body: dict[str, Any], *, manager: str) -> None:
        if body["metadata"]["name"] == "bad":
            raise ClusterError("unknown field spec.mtlss")
        self.applied.append(body["metadata"]["name"])

    def close(self) -> None:
        pass


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> _Canary:
    made = _Canary("old", "new")
    monkeypatch.setattr(Cluster, "connect", lambda _: made)
    monkeypatch.setattr(readiness, "wait", lambda *_: None)
    return made


def policy(name: str) -> dict[str, Any]:
    return {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": name}}


def test_both_control_planes_get_the_mesh(canary: _Canary) -> None:
    carried = Carried("x", {"defaultConfig": {"concurrency": 4}}, {"A": "theirs"}, ("prod",), (policy("good"),))
    left = rehearsal.carry(Path("unused"), carried, ("old", "new"))
    for name in ("old", "new"):
        mesh = yaml.safe_load(canary.patched[f"istio-{name}"]["data"]["mesh"])
        assert mesh == {"defaultConfig": {"concurrency": 4, "holdIt": True}}
        (container,) = canary.patched[f"istiod-{name}"]["spec"]["template"]["spec"]["containers"]
        assert {one["name"]: one["value"] for one in container["env"]} == {"A": "theirs", "REVISION": f"istiod-{name}"}
    assert canary.applied == ["good"]
    assert left == ("tag prod: the revisions of a rehearsal have names of their own",)


def test_without_variables_no_control_plane_starts_again(canary: _Canary) -> None:
    rehearsal.carry(Path("unused"), Carried("x", {"enableTracing": True}), ("old", "new"))
    assert set(canary.patched) == {"istio-old", "istio-new"}


def test_what_is_refused_or_left_is_named(canary: _Canary) -> None:
    left = rehearsal.carry(Path("unused"), Carried(policies=(policy("bad"),), left=("MeshConfig ca: x",)), ("old",))
    assert left == ("MeshConfig ca: x", "PeerAuthentication bad: unknown field spec.mtlss")


def test_a_control_plane_that_is_missing_is_one_line(canary: _Canary) -> None:
    with pytest.raises(ClusterError, match="the ConfigMap istio-other is missing in istio-system"):
        rehearsal.carry(Path("unused"), Carried(), ("other",))


def test_a_cluster_that_is_up_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "like.yaml").write_text(FILE)
    monkeypatch.setattr(manager, "status", lambda _: Status("up", {}))
    given = own_cluster.given("1.29", "1.31", {}, print, tmp_path / "like.yaml")
    with pytest.raises(ClusterError, match="the profile canary is up with another mesh"), given:
        pass
