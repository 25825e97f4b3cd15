"""An object read back: deleted, made again, changed, or as it was applied."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from clients.apply.item import Accepted, Item
from clients.apply.read_back import difference

pytestmark = pytest.mark.unit

POLICY = Item(
    "m.yaml",
    {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "p", "namespace": "n", "labels": {"run": "r"}},
        "spec": {
            "selector": {"matchLabels": {"app": "httpbin"}},
            "rules": [{"to": [{"operation": {"ports": ["80"]}}]}],
        },
    },
)
SERVICE = Item(
    "m.yaml",
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "n"},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]},
        "stringData": {"a": "b"},
    },
)


def stored(item: Item, generation: int | None = 1, uid: str = "u", **spec: Any) -> dict[str, Any]:
    body = copy.deepcopy(item.body)
    body["metadata"] |= {"uid": uid, "resourceVersion": "7"} | ({"generation": generation} if generation else {})
    body["spec"] |= spec
    body["status"] = {"conditions": ["as a controller writes them"]}
    return body


def seen(item: Item, found: dict[str, Any] | None, generation: int | None = 1) -> str:
    return difference(item, Accepted("u", generation), lambda *_: found)


def test_what_is_as_it_was_applied() -> None:
    assert seen(POLICY, stored(POLICY)) == ""
    defaulted = stored(SERVICE, None, clusterIP="10.0.0.1", ports=[{"port": 80, "protocol": "TCP"}])
    assert seen(SERVICE, defaulted, None) == ""


def test_what_was_deleted_or_made_again() -> None:
    assert seen(POLICY, None) == "does not exist any more"
    assert seen(POLICY, stored(POLICY, uid="another")) == "was deleted and created again"


def test_a_selector_that_a_controller_has_altered() -> None:
    altered = stored(POLICY, 2, selector={"matchLabels": {"app": "httpbim"}})
    assert seen(POLICY, altered) == "spec.selector.matchLabels.app is 'httpbim', not 'httpbin'"


def test_a_change_that_was_taken_back_is_one() -> None:
    assert seen(POLICY, stored(POLICY, 3)) == "generation 3, not 1"


def test_a_further_rule_is_a_change() -> None:
    more = stored(POLICY, 2, rules=[*POLICY.body["spec"]["rules"], {}])
    assert seen(POLICY, more).startswith("spec.rules is [")


def test_labels_count_although_they_are_no_new_generation() -> None:
    labelled = stored(POLICY)
    labelled["metadata"]["labels"] = {"run": "r", "more": "is fine"}
    assert seen(POLICY, labelled) == ""
    labelled["metadata"]["labels"] = {"run": "another"}
    assert seen(POLICY, labelled) == "metadata.labels.run is 'another', not 'r'"


def test_an_object_without_a_generation_is_compared_by_its_fields() -> None:
    assert seen(SERVICE, stored(SERVICE, None, selector={"app": "b"}), None) == "spec.selector.app is 'b', not 'a'"
    assert seen(SERVICE, stored(SERVICE, None, selector=None), None) == "spec.selector.app is None, not 'a'"


def test_what_the_server_answered_need_not_be_known() -> None:
    assert difference(POLICY, None, lambda *_: stored(POLICY, 9)) == ""


def test_a_policy_that_an_admission_webhook_has_changed_is_not_as_it_was_applied() -> None:
    """Its generation is that of the answer: what the webhook made of it was taken for what was applied."""
    more = stored(POLICY, 1, rules=[*POLICY.body["spec"]["rules"], {}])
    assert seen(POLICY, more).endswith(", as it was admitted")
    assert seen(POLICY, stored(POLICY, 1, action="ALLOW")) == "", "a default"


def test_a_network_policy_without_its_empty_lists_is_as_it_was_applied() -> None:
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [], "ingress": [{"from": []}]},
    }
    found = stored(Item("m.yaml", body))
    found["spec"] = {"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}]}
    assert seen(Item("m.yaml", body), found) == ""
    found["spec"]["egress"] = [{}]
    assert seen(Item("m.yaml", body), found).startswith("spec.egress is [{}], not []")


def test_a_workload_is_left_to_the_cluster() -> None:
    """Its images and resources, for instance, which some clusters set."""
    body = {**POLICY.body, "apiVersion": "apps/v1", "kind": "Deployment"}
    assert seen(Item("m.yaml", body), stored(POLICY, 1, rules=[])) == ""
