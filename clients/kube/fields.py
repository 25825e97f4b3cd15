"""What objects of the API are called in messages, and those of their fields that many readers need.

An object is a mapping as the API server returns it, or as a manifest states it: a field may be absent, or null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Body = Mapping[str, Any]


def kind_and_name(body: Body) -> str:
    """`AuthorizationPolicy shop/deny-all`, `Namespace shop`: how every message names an object."""
    meta = body["metadata"]
    return f"{body['kind']} {'/'.join(filter(None, (meta.get('namespace'), meta['name'])))}"


def namespace_of(body: Body) -> str:
    """Its namespace; that of a manifest which states none is `default`."""
    return str(body["metadata"].get("namespace") or "default")


def spec_of(body: Body) -> Body:
    """Its specification; empty where it has none."""
    return body.get("spec") or {}


def targets_of(body: Body) -> list[Body]:
    """What a policy is attached to by reference (`targetRefs`, `targetRef`); none for one that selects by labels."""
    spec = spec_of(body)
    return [*(spec.get("targetRefs") or ()), *filter(None, [spec.get("targetRef")])]


def labels_of(body: Body) -> Mapping[str, str]:
    """Its labels; empty where it has none."""
    return body["metadata"].get("labels") or {}


def annotations_of(body: Body) -> Mapping[str, str]:
    """Its annotations; empty where it has none."""
    return body["metadata"].get("annotations") or {}


def label_selector(labels: Body) -> str:
    """`app=httpbin,tier=web`: labels as the API takes them to list by; empty, which lists all, where there are none."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
