"""What a run records of how the mesh is set: values by name, and no secret."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.mesh.survey.injected import InjectedProxy
from clients.mesh.survey.injection import Revision
from clients.mesh.survey.injection_values import proxy_image
from clients.mesh.survey.recorded import flattened, recorded

pytestmark = pytest.mark.unit


class Known(FakeCluster):
    calico = False

    def has_kind(self, _: str, kind: str) -> bool:
        return self.calico and kind == "ClusterInformation"


def survey(env: list[dict[str, Any]] = [], **values: Any) -> Any:  # noqa: B006 - never changed
    istiod = {"spec": {"template": {"spec": {"containers": [{"name": "discovery", "env": env}]}}}}
    there = {
        "proxy": None,
        "config_maps": [],
        "revision": Revision("", "default"),
        "configurations": [],
        "istiods": [istiod],
        "system_agents": None,
        "cluster": Known(),
        "gateway_class": "",
    }
    return SimpleNamespace(**{**there, **values})


def test_release_and_channel_of_the_gateway_api_are_those_of_its_definitions() -> None:
    """The list is asked for one of them, which fakes and old API servers may answer with none."""
    asked: list[str] = []

    class Definitions(Known):
        def objects(self, api_version: str, kind: str, *_: str, fields: str = "", **__: str) -> list[Any]:
            if kind != "CustomResourceDefinition":
                return super().objects(api_version, kind)
            asked.append(fields)
            stated = {"bundle-version": "v1.4.0", "channel": "standard"}
            annotations = {f"gateway.networking.k8s.io/{name}": value for name, value in stated.items()}
            return [{"metadata": {"annotations": annotations}}]

    found = recorded(survey(cluster=Definitions(), gateway_class="istio"))
    assert found["Gateway API"] == "v1.4.0 standard"
    assert asked == ["metadata.name=gateways.gateway.networking.k8s.io"]
    assert "Gateway API" not in recorded(survey(cluster=Definitions()))


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
    maps = [injector("istio-sidecar-injector", hub="reg", tag="1.31.1", proxy={"image": "proxyv2"})]
    found = recorded(
        survey(env, config_maps=maps, configurations=[{"accessLogFile": "/dev/stdout"}],
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


def test_a_pod_shows_the_proxy_only_where_no_istiod_is_seen() -> None:
    proxy = InjectedProxy("reg/proxyv2:1.31.1")
    assert recorded(survey(proxy=proxy)) == {}
    assert recorded(survey(proxy=proxy, istiods=[])) == {"proxy image": "reg/proxyv2:1.31.1"}


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


def injector(name: str, **values: Any) -> dict[str, Any]:
    return {
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "istio-system"},
        "data": {"values": json.dumps({"global": values})},
    }


def test_the_image_of_proxies_is_what_the_injector_states() -> None:
    own = injector("istio-sidecar-injector-1-29", hub="reg.test", tag="1.29.1", proxy={"image": "proxyv2"})
    whole = injector("istio-sidecar-injector", hub="reg.test", tag="1", proxy={"image": "other.test/proxy:2"})
    assert proxy_image([own, whole], "1-29") == "reg.test/proxyv2:1.29.1"
    assert proxy_image([own, whole], "default") == "other.test/proxy:2"
    assert proxy_image([own, {"metadata": {"name": "istio-sidecar-injector-x"}, "data": {}}], "gone") == ""
    assert proxy_image([], "default") == ""
