"""What keeps a deleted object is named: a finalizer, or an API group that does not answer."""

from __future__ import annotations

from typing import Any

import pytest

from clients.kube.stuck import why_it_stays

pytestmark = pytest.mark.unit

FINALIZERS = "Some content in the namespace has finalizers remaining: example.com/never in 1 resource instances"
CONTENT = "Some resources are remaining: configmaps. has 1 resource instances"
DISCOVERY = (
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "custom.metrics.k8s.io/v1beta1: stale GroupVersion discovery: custom.metrics.k8s.io/v1beta1"
)


def namespace(**messages: str) -> dict[str, Any]:
    """A namespace that is being deleted, as the API server shows it."""
    conditions = [
        {"type": kind, "status": "True", "reason": "X", "message": message} for kind, message in messages.items()
    ]
    conditions.append(
        {"type": "NamespaceDeletionGroupVersionParsingFailure", "status": "False", "message": "All legacy kube types"}
    )
    return {
        "kind": "Namespace",
        "metadata": {"name": "mp-a", "deletionTimestamp": "2026-11-27T10:00:00Z"},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Terminating", "conditions": conditions},
    }


def test_finalizer_of_an_object_in_the_namespace() -> None:
    body = namespace(NamespaceContentRemaining=CONTENT, NamespaceFinalizersRemaining=FINALIZERS)
    assert why_it_stays(body) == f": {FINALIZERS}; {CONTENT}"


def test_api_group_without_endpoints() -> None:
    assert why_it_stays(namespace(NamespaceDeletionDiscoveryFailure=DISCOVERY)) == f": {DISCOVERY}"


def test_finalizer_of_the_object_itself() -> None:
    body = {"kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["example.com/never"]}}
    assert why_it_stays(body) == ": it waits for finalizer example.com/never"


@pytest.mark.parametrize("body", [None, namespace(), {"metadata": {"name": "a"}}])
def test_what_is_not_known_is_not_said(body: dict[str, Any] | None) -> None:
    assert why_it_stays(body) == ""
