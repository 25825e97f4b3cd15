"""What a run records of how the mesh is set: values by name, and no secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.mesh.injected import InjectedProxy
from clients.mesh.recorded import flattened, recorded

pytestmark = pytest.mark.unit


class Known(FakeCluster):
    calico = False

    def has_kind(self, _: str, kind: str) -> bool:
        return self.calico and kind == "ClusterInformation"


def survey(env: list[dict[str, Any]] = [], **values: Any) -> Any:  # noqa: B006 - never changed
    istiod = {"spec": {"template": {"spec": {"containers": [{"name": "discovery", "env": env}]}}}}
    there = {"proxy": None, "configurations": [], "istiods": [istiod], "system_agents": None, "cluster": Known()}
    return SimpleNamespace(**{**there, **values})


def test_values_are_named_by_their_place() -> None:
    mesh = {"defaultConfig": {"concurrency": 2}, "enableTracing": False, "trustDomain": None,
            "extensionProviders": [{"name": "opa", "port": 1}, {"port": 2}]}  # fmt: skip
    assert dict(flattened(mesh)) == {
        "defaultConfig.concurrency": "2",
        "enableTracing": "false",
        "extensionProviders[opa].name": "opa",
        "extensionProviders[opa].port": "1",
        "extensionProviders[1].port": "2",
    }


def test_all_parts_are_recorded() -> None:
    env = [{"name": "PILOT_X", "value": "true"}, {"name": "POD_NAME", "valueFrom": {"fieldRef": {}}}]
    found = recorded(
        survey(env, proxy=InjectedProxy("reg/proxyv2:1.31.1"), configurations=[{"accessLogFile": "/dev/stdout"}],
               system_agents=frozenset({"cilium", "istio-cni-node", "other"}))
    )  # fmt: skip
    assert found == {
        "proxy image": "reg/proxyv2:1.31.1",
        "CNI": "cilium, Istio CNI",
        "MeshConfig accessLogFile": "/dev/stdout",
        "istiod PILOT_X": "true",
    }


def test_what_may_not_be_read_is_left_out() -> None:
    assert recorded(survey(istiods=[])) == {}


def test_calico_is_known_by_its_kinds_where_it_runs_outside_of_the_cluster() -> None:
    there = Known()
    there.calico = True
    assert recorded(survey(cluster=there))["CNI"] == "calico"


def test_no_secret_is_recorded() -> None:
    env = [
        {"name": "MY_API_TOKEN", "value": "hunter2hunter2"},
        {"name": "PILOT_Y", "value": "Authorization: Bearer abcdefgh12345678"},
        {"name": "CA_KEY", "valueFrom": {"secretKeyRef": {"name": "ca", "key": "k"}}},
    ]
    found = recorded(survey(env, configurations=[{"x": [{"name": "h", "headers": {"authorization": "Basic abcdef"}}]}]))
    assert found["istiod MY_API_TOKEN"] == "[redacted]"
    assert found["istiod CA_KEY"] == "from secretKeyRef"
    assert "hunter2" not in str(found)
    assert "abcdef" not in str(found)
