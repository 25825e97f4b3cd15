"""From the settings to what is added to objects, and to references of images."""

from __future__ import annotations

import pytest
from cluster_fakes import FakeCluster

from clients.kube.families import Families
from clients.kube.pods import Pod
from clients.mesh.survey.prior import Prior
from clients.model.errors import SettingsError
from clients.model.redact import redact
from runner.config import settings
from runner.config.settings import Settings
from runner.target import targets
from runner.target.fitting import KEPT, LIMITS, LINUX, REQUESTS, fitting, mirrored
from runner.target.live import PUBLIC_IMAGES

pytestmark = pytest.mark.unit
DATA = "eyJhdXRocyI6eyJyZWdpc3RyeS5leGFtcGxlLmNvbSI6eyJhdXRoIjoiZFhObGNqcHpaV055WlhRPSJ9fX0="


def made(**given: object) -> Settings:
    return Settings.model_validate(given)


def cluster(data: dict[str, str] | None) -> FakeCluster:
    found = FakeCluster()
    meta = {"name": "regcred", "namespace": "ci"}
    if data is not None:
        found.put({"kind": "Secret", "metadata": meta, "type": "kubernetes.io/dockerconfigjson", "data": data})
    return found


def test_pods_on_a_shared_cluster_state_what_they_need() -> None:
    shared = fitting(made(), FakeCluster(), Prior(), own=False)  # type: ignore[arg-type]
    assert (shared.requests, shared.limits) == (REQUESTS, LIMITS)
    own = fitting(made(), FakeCluster(), Prior(), own=True)  # type: ignore[arg-type]
    assert (own.requests, own.limits) == ({}, {})
    given = made(pods={"requests": {"cpu": "1"}, "limits": {}})
    chosen = fitting(given, FakeCluster(), Prior(), own=False)  # type: ignore[arg-type]
    assert (chosen.requests, chosen.limits) == ({"cpu": "1"}, {})


def test_autoscalers_leave_pods_on_a_shared_cluster_alone_unless_settings_say_otherwise() -> None:
    shared = fitting(made(), FakeCluster(), Prior(), own=False)  # type: ignore[arg-type]
    assert shared.pod_annotations == KEPT
    assert fitting(made(), FakeCluster(), Prior(), own=True).pod_annotations == {}  # type: ignore[arg-type]
    given = made(pods={"annotations": {"karpenter.sh/do-not-disrupt": "false", "team": "mesh"}})
    chosen = fitting(given, FakeCluster(), Prior(), own=False)  # type: ignore[arg-type]
    assert chosen.pod_annotations == {**KEPT, "karpenter.sh/do-not-disrupt": "false", "team": "mesh"}
    lighter = fitting(given, FakeCluster(), Prior(), own=False, refused=tuple(KEPT))  # type: ignore[arg-type]
    assert lighter.pod_annotations == {"karpenter.sh/do-not-disrupt": "false", "team": "mesh"}, "the user's own stay"


@pytest.mark.parametrize(
    ("given", "nodes"),
    [
        ({}, LINUX),
        ({"disk": "fast"}, {**LINUX, "disk": "fast"}),
        ({"kubernetes.io/os": "flatcar"}, {"kubernetes.io/os": "flatcar"}),
        ({"kubernetes.io/os": "", "node-role.kubernetes.io/worker": ""}, {"node-role.kubernetes.io/worker": ""}),
    ],
)
def test_pods_of_a_shared_cluster_go_to_nodes_of_linux_unless_settings_say_otherwise(
    given: dict[str, str], nodes: dict[str, str]
) -> None:
    """A Windows node without a taint took some of them, and their images have no build for it."""
    chosen = made(pods={"node_selector": given})
    assert fitting(chosen, FakeCluster(), Prior(), own=False).node_selector == nodes  # type: ignore[arg-type]


def test_on_a_cluster_of_the_harness_nodes_are_not_chosen() -> None:
    assert fitting(made(), FakeCluster(), Prior(), own=True).node_selector == {}  # type: ignore[arg-type]


def test_labels_of_pods_are_the_settings() -> None:
    given = made(pods={"labels": {"team": "mesh", "app.kubernetes.io/name": "meshproof"}})
    found = fitting(given, FakeCluster(), Prior(), own=False)  # type: ignore[arg-type]
    assert found.pod_labels == {"team": "mesh", "app.kubernetes.io/name": "meshproof"}


@pytest.mark.parametrize(
    ("service", "pod", "expected"),
    [
        ("10.96.0.1", "10.244.0.7", Families()),
        ("fd00:1::1", "fd00:2::7", Families(ipv6_first=True, ipv6=True)),
        ("10.96.0.1", "fd00:2::7", Families(ipv6=True)),
        ("", "10.244.0.7", Families()),
    ],
    ids=["IPv4", "IPv6 first", "IPv6 second", "no Service"],
)
def test_the_families_of_a_clusters_addresses_are_found(service: str, pod: str, expected: Families) -> None:
    cluster = FakeCluster()
    if service:
        meta = {"name": "kubernetes", "namespace": "default"}
        cluster.put({"kind": "Service", "metadata": meta, "spec": {"clusterIP": service}})
    cluster.pods_of["kube-system"] = [Pod("kube-system", "dns-1", ip="10.244.0.9", more_ips=(pod,))]
    assert fitting(made(), cluster, Prior(), own=False).families == expected  # type: ignore[arg-type]
    assert fitting(made(), cluster, Prior(), own=True).families == Families()  # type: ignore[arg-type]


def test_a_pull_secret_is_read_once_and_never_shown() -> None:
    given = made(pods={"pull_secret": "ci/regcred"})
    found = fitting(given, cluster({".dockerconfigjson": DATA}), Prior(), own=False).pull_secret  # type: ignore[arg-type]
    assert found is not None
    assert found.data == {".dockerconfigjson": DATA}
    assert DATA not in redact(f"data: {DATA}")
    assert DATA not in repr(found)
    with pytest.raises(SettingsError, match=r"pods.pull_secret names ci/regcred, which does not exist"):
        fitting(given, cluster(None), Prior(), own=False)  # type: ignore[arg-type]


def test_tolerations_are_tables_or_as_kubectl_writes_taints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_PODS__TOLERATIONS", '["dedicated=mesh:NoSchedule", "spot"]')
    found = fitting(settings.load(), FakeCluster(), Prior(), own=True)  # type: ignore[arg-type]
    assert found.tolerations == (
        {"key": "dedicated", "operator": "Equal", "value": "mesh", "effect": "NoSchedule"},
        {"key": "spot", "operator": "Exists"},
    )


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("curlimages/curl:8.16.0", "mirror.example.com/all/curlimages/curl:8.16.0"),
        ("registry.k8s.io/e2e/agnhost:2.53", "mirror.example.com/all/e2e/agnhost:2.53"),
        ("localhost:5000/a@sha256:0f", "mirror.example.com/all/a@sha256:0f"),
        ("busybox", "mirror.example.com/all/busybox"),
    ],
)
def test_a_mirror_replaces_the_registry(reference: str, expected: str) -> None:
    assert mirrored(reference, "mirror.example.com/all/") == expected
    assert mirrored(reference, "") == reference


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("localhost:5000/a/b:1@sha256:0f", "a/b:1@sha256:0f"),
        ("[::1]:5000/a@sha256:0f", "a@sha256:0f"),
        ("org/a:1", "org/a:1"),
    ],
)
@pytest.mark.parametrize("mirror", ["mirror.example.com:5000", "mirror.example.com:5000/all/of/it/", "[::1]:5000/x"])
def test_a_mirror_may_have_a_port_and_a_path(mirror: str, reference: str, expected: str) -> None:
    assert mirrored(reference, mirror) == f"{mirror.rstrip('/')}/{expected}"


def test_all_images_come_from_the_mirror_but_those_that_are_named() -> None:
    given = made(context="x", image_prefix="mirror.example.com", images={"sleep": "other.example.com/curl:1"})
    images = targets.of(given).access(print).images
    assert set(images) == set(PUBLIC_IMAGES)
    assert images.pop("sleep") == "other.example.com/curl:1"
    assert all(image.startswith("mirror.example.com/") for image in images.values())


class OpenShift(FakeCluster):
    """It has security context constraints; `may` are those that this identity may use."""

    may: tuple[str, ...] = ("nonroot-v2",)

    kind = "SecurityContextConstraints"

    def has_kind(self, *asked: str) -> bool:
        return asked == ("security.openshift.io/v1", self.kind)

    def can_i(self, verb: str, resource: str, *_: str, name: str = "", **__: str) -> bool:
        return (verb, resource) == ("use", "securitycontextconstraints") and name in self.may


@pytest.mark.parametrize(
    ("given", "may", "bound"),
    [
        ({}, ("nonroot-v2",), "nonroot-v2"),
        ({}, (), ""),
        ({"constraint": "own"}, ("own",), "own"),
        ({"constraint": ""}, ("nonroot-v2",), ""),
    ],
)
def test_accounts_are_bound_to_a_constraint_that_this_identity_may_use(
    given: dict[str, str], may: tuple[str, ...], bound: str
) -> None:
    """Else the binding itself is refused, also where all accounts may use one anyway."""
    cluster = OpenShift()
    cluster.may = may
    found = fitting(made(pods=given), cluster, Prior(), own=False)  # type: ignore[arg-type]
    assert found.constraint == bound
    cluster.kind = "Pod"
    assert fitting(made(pods=given), cluster, Prior(), own=False).constraint == ""  # type: ignore[arg-type]
