"""Applying: nothing is touched before all is known to be valid and free, nothing is deleted that is another's."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from cluster_fakes import RUN, FakeCluster, labelled

from clients.apply.applier import Applier
from clients.apply.item import Item
from clients.apply.limits import Limits
from clients.apply.overlay import Overlay
from clients.kube.api import RequestError
from clients.model.errors import AccessError, ClusterError, ConflictError, ManifestError

pytestmark = pytest.mark.unit

ENVIRONMENT = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
"""
POLICY = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: istio-system}
"""


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def applier(cluster: FakeCluster, tmp_path: Path) -> Applier:
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "shop.yaml").write_text(ENVIRONMENT)
    (tmp_path / "policy.yaml").write_text(POLICY)
    overlay = Overlay("p-", RUN, "w0", {}, "", {}, frozenset({"shop"}))
    return Applier(cluster, overlay, tmp_path, Limits(timeout_s=0.2, at_once=1))


def test_a_folder_is_all_its_manifests(applier: Applier):
    items = applier.load(["environment", "policy.yaml"])
    assert list(map(str, items)) == ["Namespace p-shop", "Service p-shop/web", "PeerAuthentication istio-system/strict"]
    assert [item.manifest for item in items] == ["environment/shop.yaml", "environment/shop.yaml", "policy.yaml"]


def test_the_same_manifests_can_be_applied_under_other_names(applier: Applier, cluster: FakeCluster):
    overlay = Overlay("q-", RUN, "w0", {}, "", {}, frozenset({"shop"}))
    other = applier.named_by(overlay)
    assert list(map(str, other.load(["environment"]))) == ["Namespace q-shop", "Service q-shop/web"]
    assert other.timeout_s == applier.timeout_s
    assert list(map(str, applier.load(["environment"]))) == ["Namespace p-shop", "Service p-shop/web"]


@pytest.mark.parametrize("path", ["missing.yaml", "nothing"])
def test_a_missing_manifest_is_named(applier: Applier, path: str, tmp_path: Path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ManifestError, match=path):
        applier.load([path])


def test_check_changes_nothing_and_tries_everything(applier: Applier, cluster: FakeCluster):
    applier.check(applier.load(["environment", "policy.yaml"]))
    assert cluster.store == {}
    assert [line.split()[:2] for line in cluster.log] == [
        ["try", "Namespace"],
        ["try", "Service"],
        ["try", "PeerAuthentication"],
    ]


def test_an_object_whose_namespace_is_not_there_yet_is_tried_elsewhere_under_another_name(
    applier: Applier, cluster: FakeCluster
):
    applier.check(applier.load(["environment"]))
    assert "default/dry-run-" in cluster.log[1]
    cluster.log.clear()
    cluster.put(labelled("Namespace", "p-shop"))
    applier.check(applier.load(["environment"]))
    assert cluster.log[1] == "try Service p-shop/web"


def test_an_environment_is_tried_in_its_own_namespaces_and_what_comes_later_in_one_of_them(
    applier: Applier, cluster: FakeCluster
):
    """Quotas and policies of the namespace `default` refused what a run's own namespaces would take."""
    applier.admit(applier.load(["environment"]))
    assert cluster.log == ["try Namespace /p-shop", "apply Namespace /p-shop", "try Service p-shop/web"]
    later = Item("x.yaml", {**labelled("Service", "web", "p-later"), "apiVersion": "v1"})
    applier.check([Item("x.yaml", labelled("Namespace", "p-later")), later])
    assert cluster.log[-1].startswith("try Service p-shop/dry-run-")
    applier.delete(applier.load(["environment"]))
    applier.check([Item("x.yaml", labelled("Namespace", "p-later")), later])
    assert cluster.log[-1].startswith("try Service default/dry-run-")


@pytest.mark.parametrize("run", ["", "another-run"])
def test_an_object_of_somebody_else_is_refused(applier: Applier, cluster: FakeCluster, run: str):
    cluster.put(labelled("PeerAuthentication", "strict", "istio-system", run=run))
    with pytest.raises(ConflictError, match="PeerAuthentication istio-system/strict exists already"):
        applier.check(applier.load(["policy.yaml"]))


def test_an_object_of_this_run_may_be_there_already(applier: Applier, cluster: FakeCluster):
    cluster.put(labelled("PeerAuthentication", "strict", "istio-system"))
    applier.check(applier.load(["policy.yaml"]))


def test_what_the_server_does_not_accept_is_a_manifest_error(applier: Applier, cluster: FakeCluster):
    cluster.refuse["PeerAuthentication"] = RequestError("PATCH x", 422, 'unknown field "spec.mtsl"')
    with pytest.raises(ManifestError, match=r'policy.yaml: PeerAuthentication .*unknown field "spec.mtsl"'):
        applier.check(applier.load(["policy.yaml"]))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RequestError("PATCH x", 429, "too many requests"), "too many requests; .*too busy or restarts"),
        (RequestError("PATCH x", 503, "starting"), "starting"),
        (RequestError("PATCH x", 504, "HTTP 504"), "HTTP 504"),
        (RequestError("PATCH x", 500, "etcdserver: leader changed"), "leader changed"),
        (RequestError("PATCH x", 500, 'failed calling webhook "a": EOF'), "failed calling webhook"),
        (ClusterError("cluster c does not answer", "see that it runs"), "does not answer; see that it runs"),
    ],
)
def test_a_server_that_cannot_say_does_not_blame_the_manifest(
    applier: Applier, cluster: FakeCluster, error: ClusterError, words: str
):
    cluster.refuse["PeerAuthentication"] = error
    with pytest.raises(ClusterError, match=f"PeerAuthentication istio-system/strict.*: .*{words}"):
        applier.check(applier.load(["policy.yaml"]))


@pytest.mark.parametrize("status", [400, 409, 413, 422, 500])
def test_what_a_webhook_denies_is_not_accepted_whatever_status_it_chooses(
    applier: Applier, cluster: FakeCluster, status: int
):
    cluster.refuse["PeerAuthentication"] = RequestError("PATCH x", status, 'admission webhook "x" denied the request')
    with pytest.raises(ManifestError, match="istio-system/strict is not accepted: admission webhook"):
        applier.check(applier.load(["policy.yaml"]))


def test_a_field_that_the_schema_does_not_have_is_the_manifests_fault_although_the_status_is_500(
    applier: Applier, cluster: FakeCluster
):
    text = "failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.replica: field not declared"
    cluster.refuse["PeerAuthentication"] = RequestError("PATCH x", 500, text)
    with pytest.raises(ManifestError, match=r"policy.yaml: .*is not accepted: .*\.spec\.replica"):
        applier.check(applier.load(["policy.yaml"]))


def test_a_missing_permission_stays_one(applier: Applier, cluster: FakeCluster):
    cluster.refuse["PeerAuthentication"] = AccessError("forbidden")
    with pytest.raises(AccessError):
        applier.check(applier.load(["policy.yaml"]))


def test_applied_objects_are_told_with_their_text(applier: Applier):
    [applied] = applier.apply(applier.load(["policy.yaml"]))
    assert (applied.manifest, applied.kind, applied.namespace) == ("policy.yaml", "PeerAuthentication", "istio-system")
    assert "kind: PeerAuthentication" in applied.yaml


def test_deletion_goes_backwards_and_leaves_the_content_of_a_namespace_to_it(applier: Applier, cluster: FakeCluster):
    items = applier.load(["environment", "policy.yaml"])
    applier.apply(items)
    cluster.log.clear()
    applier.delete(items)
    assert cluster.log == [
        "delete PeerAuthentication istio-system/strict",
        "delete Namespace /p-shop",
        "delete pods of p-shop",
    ]
    assert cluster.store == {}


def test_deletion_leaves_alone_what_is_another_runs(applier: Applier, cluster: FakeCluster):
    cluster.put(labelled("PeerAuthentication", "strict", "istio-system", run="another-run"))
    applier.delete(applier.load(["policy.yaml"]))
    assert len(cluster.store) == 1


def test_what_does_not_go_away_is_an_error(applier: Applier, cluster: FakeCluster):
    items = applier.load(["policy.yaml"])
    applier.apply(items)
    cluster.sticky.add("strict")
    cluster.store["PeerAuthentication", "istio-system", "strict"]["metadata"]["finalizers"] = ["example.com/never"]
    with pytest.raises(ClusterError, match=r"strict is still there .*: it waits for finalizer example\.com/never"):
        applier.delete(items)


def test_a_namespace_of_somebody_else_keeps_its_pods(applier: Applier, cluster: FakeCluster):
    cluster.put(labelled("Namespace", "p-shop", run="another-run"), labelled("Pod", "web-1", "p-shop", run=""))
    applier.delete(applier.load(["environment"]))
    assert cluster.log == []
    assert len(cluster.store) == 2


ORDERED = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: a, namespace: {namespace}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: b, namespace: {namespace}}}
"""


def test_side_by_side_namespaces_come_first_and_each_keeps_its_order(cluster: FakeCluster, tmp_path: Path):
    spaces = ("shop", "bank", "farm")
    texts = [ORDERED.format(namespace=name) for name in spaces]
    texts += [f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}" for name in spaces]
    (tmp_path / "all.yaml").write_text("\n---\n".join(texts))
    applier = Applier(cluster, Overlay("p-", RUN, "w0", {}, "", {}, frozenset(spaces)), tmp_path, Limits(timeout_s=0.2))
    items = applier.load(["all.yaml"])
    applied = applier.apply(items)
    assert [(one.namespace, one.name) for one in applied] == [(item.namespace, item.name) for item in items]
    assert {line.split()[1] for line in cluster.log[:3]} == {"Namespace"}
    for name in spaces:
        assert [line[-1] for line in cluster.log if f" p-{name}/" in line] == ["a", "b"]
    applier.delete(items)
    assert cluster.store == {}


def test_of_several_problems_the_first_in_order_is_told(cluster: FakeCluster, tmp_path: Path):
    (tmp_path / "all.yaml").write_text(POLICY + "---" + POLICY.replace("strict", "second"))
    applier = Applier(cluster, Overlay("p-", RUN, "w0", {}, "", {}, frozenset()), tmp_path)
    cluster.refuse["PeerAuthentication"] = RequestError("PATCH x", 422, "no")
    with pytest.raises(ManifestError, match="istio-system/strict is not accepted"):
        applier.check(applier.load(["all.yaml"]))


ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reads, namespace: shop}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reads, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %s}
"""


@pytest.mark.parametrize(
    ("bound", "status", "accepted"),
    [("reads", 404, True), ("another", 404, False), ("reads", 422, False)],
    ids=["comes with it", "does not come with it", "refused for something else"],
)
def test_a_binding_may_be_tried_before_its_role_is_there(
    applier: Applier, cluster: FakeCluster, tmp_path: Path, bound: str, status: int, accepted: bool
):
    """The API server looks for the role when an identity that is no administrator binds it."""
    (tmp_path / "roles.yaml").write_text(ROLES % bound)
    cluster.refuse["RoleBinding"] = RequestError("PATCH", status, "not found")
    items = applier.load(["environment", "roles.yaml"])
    with nullcontext() if accepted else pytest.raises(ManifestError, match="RoleBinding p-shop/reads is not accepted"):
        applier.check(items)
