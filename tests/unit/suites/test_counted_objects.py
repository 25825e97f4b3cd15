"""Controls that list objects count those of their own namespaces: not other topics', processes' or users' ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import RUN, FakeCluster, labelled

from clients.apply.overlay import WORKER_LABEL, Overlay
from clients.mesh.istioctl import Message
from runner.target.assemble import manifest_texts, namespaces_in, prefix_of
from suites.boutique import objects
from suites.boutique.workloads import NAMESPACES, SERVICES
from suites.egress import state
from suites.front import test_keys_rotation

pytestmark = pytest.mark.unit

POLICY = "namespace-policy"
ELEVEN = {(namespace, POLICY): "STRICT" for namespace in SERVICES}
EVERY_NAMESPACE = namespaces_in(manifest_texts())


def overlay(worker: str, run: str = RUN) -> Overlay:
    return Overlay(prefix_of(run, worker), run, worker, {}, "", {}, EVERY_NAMESPACE)


OURS, OTHER = overlay("gw0"), overlay("gw1")


def rig(cluster: FakeCluster, **more: Any) -> Any:
    return SimpleNamespace(cluster=cluster, overlay=OURS, **more)


def policy(made_by: Overlay, namespace: str, name: str = POLICY, *, label: bool = True) -> dict[str, Any]:
    body = labelled("PeerAuthentication", name, made_by.namespace(namespace), run=made_by.run if label else "")
    if label:
        body["metadata"]["labels"][WORKER_LABEL] = made_by.worker
    return {**body, "spec": {"mtls": {"mode": "STRICT"}}}


def entry(made_by: Overlay, name: str, namespace: str = "frontend") -> dict[str, Any]:
    return labelled("ServiceEntry", name, made_by.namespace(namespace), run=made_by.run)


def foreign() -> list[dict[str, Any]]:
    """The same suite in another process, another topic of this one and of the other, and a user with policies."""
    user = [policy(OURS, namespace, label=False) for namespace in ("default", "shop", "istio-system")]
    topics = [policy(made_by, "restricted-mtls", "strict") for made_by in (OURS, OTHER)]
    mesh_wide = policy(OTHER, "istio-system", "mesh-wide")
    return [*(policy(OTHER, name) for name in SERVICES), *topics, *user, mesh_wide]


def filled(*bodies: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster()
    cluster.put(*foreign(), *bodies)
    return cluster


def test_the_namespaces_of_the_shop_are_those_of_its_environment() -> None:
    environment = [text for text in manifest_texts() if text[0].startswith("boutique/environment/")]
    assert set(NAMESPACES) == namespaces_in(environment)


def test_eleven_policies_are_counted_among_foreign_ones() -> None:
    cluster = filled(*(policy(OURS, name) for name in SERVICES))
    assert objects.policies_problem(rig(cluster), ELEVEN) is None


def test_no_policy_of_ours_is_counted_among_foreign_ones() -> None:
    assert objects.policies_problem(rig(filled()), {}) is None


@pytest.mark.parametrize("namespace", ["payment", "outside", "boutique-ingress"])
@pytest.mark.parametrize("label", [True, False], ids=["ours", "by another hand"])
def test_a_surplus_policy_in_a_namespace_of_ours_is_told(namespace: str, label: bool) -> None:
    surplus = policy(OURS, namespace, "opt-out", label=label)
    found = objects.policies_problem(rig(filled(*(policy(OURS, name) for name in SERVICES), surplus)), ELEVEN)
    assert found == f"12 listed; missing or of another mode: []; too many: [('{namespace}', 'opt-out')]"
    assert objects.policies_problem(rig(filled(surplus)), {})


def test_our_own_mesh_wide_policy_that_was_left_is_told() -> None:
    found = objects.policies_problem(rig(filled(policy(OURS, "istio-system", "mesh-wide"))), {})
    assert found
    assert "('istio-system', 'mesh-wide')" in found


def test_a_missing_policy_is_told_though_another_process_has_it() -> None:
    found = objects.policies_problem(rig(filled(*(policy(OURS, name) for name in SERVICES if name != "ad"))), ELEVEN)
    assert found == "10 listed; missing or of another mode: [('ad', 'namespace-policy')]; too many: []"


def test_a_policy_of_another_mode_is_told() -> None:
    weak = {**policy(OURS, "ad"), "spec": {"mtls": {"mode": "PERMISSIVE"}}}
    found = objects.policies_problem(
        rig(filled(*(policy(OURS, name) for name in SERVICES if name != "ad"), weak)), ELEVEN
    )
    assert found
    assert "('ad', 'namespace-policy')" in found


def test_service_entries_of_another_process_are_not_ours() -> None:
    cluster = FakeCluster()
    cluster.put(*(entry(OTHER, name) for name in objects.SERVICE_ENTRIES), entry(OURS, "another"))
    assert objects.entries(rig(cluster)) == set()
    cluster.put(entry(OURS, objects.SERVICE_ENTRIES[0]))
    assert objects.entries(rig(cluster)) == {objects.SERVICE_ENTRIES[0]}


ROUTES = "The VirtualServices {} associated with mesh gateway define the same host"


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (ROUTES.format("{ours}istio-egress/a,{ours}team-x/b"), True),
        (ROUTES.format("{ours}istio-egress/a,{other}istio-egress/a"), False),
        (ROUTES.format("{ours}istio-egress/a,mp-gone-0-istio-egress/a"), False),
        (ROUTES.format("{ours}istio-egress/a,shop/a"), False),
        ("networking.istio.io/v1 is not shop/", True),
        ("the host shop.example is not known", True),
    ],
)
def test_findings_against_foreign_routes_are_not_of_our_configuration(text: str, counted: bool) -> None:
    message = Message(
        "IST0109", "Error", text.format(ours=OURS.prefix, other=OTHER.prefix), f"VirtualService {OURS.prefix}x/a"
    )
    cluster = FakeCluster()
    given = OURS.namespace("istio-egress")  # of the user, where the settings name their gateway
    cluster.put(*(labelled("Namespace", name, run="") for name in ("shop", "default", given)))
    stage: Any = SimpleNamespace(rig=rig(cluster, analyzer=SimpleNamespace(run=lambda _: [message])))
    assert state.findings(stage) == ([message] if counted else [])


def selecting(label: str) -> dict[str, Any]:
    peer = {"namespaceSelector": {"matchLabels": {"team": label}}, "podSelector": {"matchLabels": {"app": "test"}}}
    body = labelled("NetworkPolicy", "to-it", OURS.namespace("team-x"))
    return {**body, "spec": {"egress": [{"to": [peer]}]}}


@pytest.mark.parametrize(
    ("home", "made_by", "problem"),
    [("team-y", OURS, False), ("kube-system", None, False), ("team-y", OTHER, True)],
    ids=["ours", "the cluster's", "another process's"],
)
def test_a_selector_that_finds_another_processs_pods_only_is_told(
    home: str, made_by: Overlay | None, problem: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = made_by.namespace(home) if made_by else home
    namespace = labelled("Namespace", name, run=made_by.run if made_by else "")
    namespace["metadata"]["labels"]["team"] = "y"
    if made_by:
        namespace["metadata"]["labels"][WORKER_LABEL] = made_by.worker
    cluster = FakeCluster()
    cluster.put(namespace, selecting("y"))
    pods = {name: [SimpleNamespace(phase="Running")]}
    monkeypatch.setattr(cluster, "pods", lambda where, _labels="": pods.get(where, []), raising=False)
    assert bool(state.selectors_without_pods(rig(cluster))) is problem


def test_istiod_asked_our_issuer_in_vain_and_not_another_processs() -> None:
    def line(made_by: Overlay) -> str:
        return f'error model Failed to GET from "{made_by.url(test_keys_rotation.KEYS)}": 404. Retry in 1s'

    ours = OURS.url(test_keys_rotation.KEYS)
    assert test_keys_rotation.asked_without_answer([line(OTHER), line(OURS)], ours)
    assert not test_keys_rotation.asked_without_answer([line(OTHER), f'fetched "{ours}"'], ours)
