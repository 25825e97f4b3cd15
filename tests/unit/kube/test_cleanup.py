"""The sweep: everything of ours, nothing of others, mesh-wide things first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster, labelled

from clients.kube import cleanup
from clients.model.errors import AccessError, ClusterError

pytestmark = pytest.mark.unit

VERBS = ["list", "delete", "get"]
KINDS = {
    "/api/v1": ["ConfigMap", "Namespace", "Endpoints", "Service"],
    "/apis/security.istio.io/v1": ["PeerAuthentication"],
}


class Discovering(FakeCluster):
    """Knows its kinds, as the discovery API tells them; one aggregated API is down."""

    @property
    def api(self) -> Any:
        return SimpleNamespace(json=self._json)

    def _json(self, _: str, path: str) -> dict[str, Any]:
        if path == "/apis":
            versions = ["security.istio.io/v1", "metrics.k8s.io/v1beta1"]
            return {"groups": [{"preferredVersion": {"groupVersion": version}} for version in versions]}
        if path not in KINDS:
            raise ClusterError("no endpoints available")
        plain = [{"kind": kind, "name": kind.lower() + "s", "verbs": VERBS} for kind in KINDS[path]]
        return {"resources": [*plain, {"kind": "Scale", "name": "things/scale", "verbs": VERBS}]}


@pytest.fixture
def cluster() -> Discovering:
    cluster = Discovering()
    cluster.put(
        labelled("Namespace", "mp-shop"),
        labelled("Service", "web", "mp-shop"),
        labelled("Endpoints", "web", "default"),
        labelled("ConfigMap", "left", "default", run="run-2"),
        labelled("PeerAuthentication", "strict", "istio-system"),
        labelled("ConfigMap", "theirs", "default", run=""),
    )
    owned = labelled("ConfigMap", "owned", "default")
    owned["metadata"]["ownerReferences"] = [{"name": "x"}]
    cluster.put(owned)
    return cluster


def names(leftovers: list[cleanup.Leftover]) -> set[str]:
    return {leftover.name for leftover in leftovers}


def test_everything_of_ours_is_found_once_and_nothing_else(cluster: Discovering):
    assert names(cleanup.find(cluster)) == {"mp-shop", "strict", "left"}


def test_one_run_can_be_told_from_another(cluster: Discovering):
    assert names(cleanup.find(cluster, "run-2")) == {"left"}


def test_cleanup_removes_and_tells_what(cluster: Discovering):
    removed_names: list[str] = []
    removed = cleanup.cleanup(cluster, on_removed=lambda leftover: removed_names.append(str(leftover)))
    assert names(removed) == {"mp-shop", "strict", "left"}
    assert "Namespace mp-shop (run run-1)" in removed_names
    assert cluster.log[-1] == "delete Namespace /mp-shop", "what concerns others goes before the namespaces"
    assert {key[2] for key in cluster.store} == {"theirs", "owned", "web"}
    assert cleanup.find(cluster) == []


def test_what_stays_is_an_error(cluster: Discovering):
    cluster.sticky.add("strict")
    with pytest.raises(ClusterError, match=r"PeerAuthentication istio-system/strict .*still there"):
        cleanup.cleanup(cluster, timeout_s=0.05)


MADE = {("", "namespaces"): "", ("", "configmaps"): "default", ("security.istio.io", "peerauthentications"): ""}


def test_only_kinds_that_a_run_can_have_made_are_asked_for_and_where(cluster: Discovering, monkeypatch: Any):
    asked: list[tuple[str, str]] = []

    def objects(_: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        asked.append((kind, namespace))
        return FakeCluster.objects(cluster, _, kind, namespace, labels)

    monkeypatch.setattr(cluster, "objects", objects)
    assert names(cleanup.find(cluster, made=MADE)) == {"mp-shop", "strict", "left"}
    assert asked == [("Namespace", ""), ("ConfigMap", "default"), ("PeerAuthentication", "")]


def test_what_cannot_be_listed_is_no_sign_that_nothing_is_left(cluster: Discovering, monkeypatch: Any):
    def failing(error: Exception) -> Any:
        def objects(_: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
            if kind == "ConfigMap":
                raise error
            return FakeCluster.objects(cluster, _, kind, namespace, labels)

        return objects

    monkeypatch.setattr(cluster, "objects", failing(ClusterError("cluster does not answer")))
    with pytest.raises(ClusterError, match="does not answer"):
        cleanup.find(cluster, made=MADE)
    monkeypatch.setattr(cluster, "objects", failing(AccessError("forbidden")))
    assert names(cleanup.find(cluster, made=MADE)) == {"mp-shop", "strict"}, "who may not list has not made any"
