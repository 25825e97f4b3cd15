"""How messages name an object, and fields that an object may lack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clients.kube.fields import Body, annotations_of, kind_and_name, label_selector, labels_of, spec_of, targets_of

pytestmark = pytest.mark.unit


def test_an_object_is_named_with_its_namespace_where_it_has_one() -> None:
    policy = {"kind": "AuthorizationPolicy", "metadata": {"namespace": "shop", "name": "deny-all"}}
    assert kind_and_name(policy) == "AuthorizationPolicy shop/deny-all"
    assert kind_and_name({"kind": "Namespace", "metadata": {"name": "shop"}}) == "Namespace shop"


@pytest.mark.parametrize("read", [spec_of, labels_of, annotations_of])
def test_a_field_that_is_absent_or_null_is_empty(read: Callable[[Body], Body]) -> None:
    null = {"spec": None, "metadata": {"labels": None, "annotations": None}}
    assert [read({"metadata": {}}), read(null)] == [{}, {}]


def test_a_field_that_is_there_is_read() -> None:
    body = {"spec": {"a": 1}, "metadata": {"labels": {"b": "2"}, "annotations": {"c": "3"}}}
    assert [spec_of(body), labels_of(body), annotations_of(body)] == [{"a": 1}, {"b": "2"}, {"c": "3"}]


def test_what_a_policy_is_attached_to_is_stated_in_two_ways() -> None:
    one, two = {"kind": "Gateway", "name": "a"}, {"kind": "Service", "name": "b"}
    assert targets_of({"spec": {"targetRefs": [one, two]}}) == [one, two]
    assert targets_of({"spec": {"targetRef": one}}) == [one]
    assert targets_of({"spec": {"targetRefs": None, "targetRef": None}}) == targets_of({}) == []


def test_labels_are_written_as_the_api_takes_them() -> None:
    assert label_selector({"app": "httpbin", "tier": "web"}) == "app=httpbin,tier=web"
    assert label_selector({}) == ""
