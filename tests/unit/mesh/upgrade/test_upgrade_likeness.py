"""What of a cluster's mesh is written for a rehearsal: nothing secret, and what could not be read is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cluster_fakes import FakeCluster
from upgrade_samples import body

from clients.mesh.survey.survey import Survey
from clients.mesh.upgrade.likeness import Likeness, read
from clients.model.errors import AccessError, ClusterError
from testbed.like import SCHEMA, carried

pytestmark = pytest.mark.unit

KNOWN = ("PeerAuthentication", "AuthorizationPolicy", "EnvoyFilter")


class LikenessCluster(FakeCluster):
    server_version = "1.34.4"

    def has_kind(self, _: str, kind: str) -> bool:
        return kind in KNOWN

    def objects(self, version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if kind in self.refuse:
            raise self.refuse[kind]
        return super().objects(version, kind, namespace, labels)


def a_cluster() -> LikenessCluster:
    stated = [{"name": "PILOT_A", "value": "1"}, {"name": "API_TOKEN", "value": "hunter2hunter2"}]
    sources = [{"name": "POD_IP", "valueFrom": {"fieldRef": {}}}, {"name": "B", "valueFrom": {"secretKeyRef": {}}}]
    env = [*stated, *sources]
    spec = {"template": {"metadata": {"labels": {"app": "istiod"}},
                         "spec": {"containers": [{"image": "pilot:1.29.1", "env": env}]}}}  # fmt: skip
    cluster = LikenessCluster()
    hooks = [({"istio.io/rev": "1-29"}, "a"), ({"istio.io/rev": "1-29", "istio.io/tag": "prod"}, "b"),
             ({"istio.io/rev": "1-28"}, "c")]  # fmt: skip
    for labels, name in hooks:
        hook = body("MutatingWebhookConfiguration", None, name, "", {"app": "sidecar-injector", **labels})
        cluster.put(dict(hook))
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "istio.io/dry-run": "true"}
    secret = {"headers": {"authorization": "Basic abcdefgh"}}
    for one in (
        body("Deployment", spec, "istiod-1-29", "istio-system", {"app": "istiod"}),
        {**body("ConfigMap", None, "istio-1-29", "istio-system"), "data": {"mesh": "enableTracing: true\n"}},
        body("PeerAuthentication", {"mtls": {"mode": "STRICT"}}, "default", "istio-system", {"team": "a"}, annotations),
        body("AuthorizationPolicy", None, "ours", "istio-system", {"app.kubernetes.io/managed-by": "meshproof"}),
        body("AuthorizationPolicy", None, "elsewhere", "shop"),
        body("EnvoyFilter", secret, "auth", "istio-system", {"istio.io/rev": "1-29"}),
    ):
        cluster.put(dict(one))
    return cluster


def of(cluster: LikenessCluster) -> Likeness:
    return read(cluster, Survey(cluster, "1-29"))  # type: ignore[arg-type]


def test_all_of_it_is_read_without_secrets_and_without_what_servers_add() -> None:
    found = of(a_cluster())
    assert found.of == {"kubernetes": "1.34.4", "version": "1.29.1", "flavour": "Istio"}
    assert (found.revision, found.tags, found.others) == ("1-29", ("prod",), ("1-28",))
    assert found.mesh == {"enableTracing": True}
    assert found.istiod == {"PILOT_A": "1"}
    assert [one["metadata"] for one in found.policies] == [
        {"name": "default", "namespace": "istio-system", "annotations": {"istio.io/dry-run": "true"}},
        {"name": "auth", "namespace": "istio-system", "labels": {"istio.io/rev": "1-29"}},
    ]
    text = str(found.to_json())
    assert "hunter2" not in text
    assert "abcdefgh" not in text
    assert [line.partition(":")[0] for line in found.not_read] == [
        "istiod API_TOKEN", "istiod B",
    ]  # fmt: skip


def test_credentials_of_other_systems_are_not_in_the_file() -> None:
    """The file is handed on: what a provider sends to its server is nobody else's."""
    cluster = a_cluster()
    headers = [{"name": "x-api-key", "value": "hunter2a"}, {"name": "tenant", "value": "hunter2b"}]
    mesh = {
        "extensionProviders": [
            {"name": "otel", "opentelemetry": {"http": {"headers": headers}}},
            {"name": "ls", "lightstep": {"accessToken": "hunter2c"}},
            {"name": "ext", "envoyExtAuthzHttp": {"includeAdditionalHeadersInCheck": {"x-shared": "hunter2d"}}},
        ],
        "defaultConfig": {
            "proxyMetadata": {"DD_API_KEY": "hunter2e", "ISTIO_META_DNS_CAPTURE": "true"},
            "tracing": {"zipkin": {"address": "http://user:hunter2f@zipkin:9411"}},
        },
    }
    cluster.put({**body("ConfigMap", None, "istio-1-29", "istio-system"), "data": {"mesh": json.dumps(mesh)}})
    found = of(cluster)
    text = str(found.to_json())
    assert "hunter2" not in text
    assert found.mesh["defaultConfig"]["proxyMetadata"]["ISTIO_META_DNS_CAPTURE"] == "true"
    assert "MeshConfig: a part is secret, and redacted" in found.not_read


def test_what_may_not_be_read_is_named() -> None:
    cluster = a_cluster()
    cluster.refuse |= {kind: AccessError(f"may not list {kind}") for kind in ("ConfigMap", "Deployment", *KNOWN)}
    found = of(cluster)
    assert (found.mesh, found.istiod, found.policies) == ({}, {}, ())
    assert [line.partition(":")[0] for line in found.not_read] == [
        "MeshConfig", "istiod", *(f"{kind} of istio-system" for kind in KNOWN),
    ]  # fmt: skip


def test_a_cluster_without_a_mesh_has_nothing_to_rehearse() -> None:
    with pytest.raises(ClusterError, match="no service mesh"):
        of(LikenessCluster())


def test_the_testbed_reads_what_is_written() -> None:
    data = of(a_cluster()).to_json()
    assert data["schema"] == SCHEMA
    found = carried(data)
    assert (found.mesh, found.variables, found.tags) == ({"enableTracing": True}, {"PILOT_A": "1"}, ("1-29", "prod"))
    assert [one["metadata"]["name"] for one in found.policies] == ["default"]
    assert found.left[-2:] == (
        "revision 1-28: there is one control plane here",
        "EnvoyFilter auth: proxies here have no filters of Istio's own, and might reject it",
    )
