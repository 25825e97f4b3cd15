"""Which policies are enforced at a pod: by namespace, selector and target, and not those that run dry."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.kube.pods import SIDECAR, Pod
from clients.mesh.policies import EnforcedPolicy, Policies, selects

pytestmark = pytest.mark.unit

POD = Pod("shop", "cart-1", containers=("server", SIDECAR), labels={"app": "cart", "tier": "back"})
DEPLOYED = Pod("shop", "door-1", containers=(SIDECAR,), labels={"gateway.networking.k8s.io/gateway-name": "door"})


def policy(name: str, namespace: str = "shop", *, dry: bool = False, **spec: Any) -> dict[str, Any]:
    annotations = {"istio.io/dry-run": "true"} if dry else {}
    meta = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"kind": "AuthorizationPolicy", "metadata": meta, "spec": spec}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (policy("a"), True),
        (policy("a", "istio-system"), True),
        (policy("a", "elsewhere"), False),
        (policy("a", selector={"matchLabels": {"app": "cart"}}), True),
        (policy("a", selector={"matchLabels": {"app": "cart", "tier": "front"}}), False),
        (policy("a", targetRefs=[{"kind": "Gateway", "name": "door"}]), False),
        (policy("a", dry=True), False),
        ({"metadata": {"name": "a", "namespace": "shop"}}, True),
    ],
)
def test_a_policy_selects_pods_as_istio_does(body: dict[str, Any], expected: bool) -> None:
    assert selects(body, POD) is expected


def test_a_gateway_is_a_target_by_its_name() -> None:
    assert selects(policy("a", targetRefs=[{"kind": "Gateway", "name": "door"}]), DEPLOYED)
    assert not selects(policy("a", targetRef={"kind": "Gateway", "name": "other"}), DEPLOYED)
    of_the_root = policy("a", "istio-system", targetRefs=[{"kind": "Gateway", "name": "door"}])
    assert not selects(of_the_root, DEPLOYED), "a target is one of the policy's own namespace"


def test_policies_are_read_once_for_each_state() -> None:
    cluster = FakeCluster()
    cluster.put(policy("allow"), policy("deny", action="DENY"), policy("other", selector={"matchLabels": {"app": "x"}}))
    policies = Policies(cluster)  # type: ignore[arg-type]
    both = {EnforcedPolicy("shop/allow", "ALLOW"), EnforcedPolicy("shop/deny", "DENY")}
    assert policies.at([POD], 1.0) == both
    cluster.put(policy("later"))
    assert policies.at([POD], 1.0) == both
    assert EnforcedPolicy("shop/later", "ALLOW") in policies.at([POD], 2.0)


def test_a_pod_without_a_sidecar_enforces_none() -> None:
    cluster = FakeCluster()
    cluster.put(policy("allow"))
    assert Policies(cluster).at([Pod("shop", "x", containers=("server",))], 1.0) == set()  # type: ignore[arg-type]
