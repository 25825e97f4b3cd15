"""Manifests that are written for IPv4, on clusters that have IPv6 too, or nothing else. Objects are not changed."""

from __future__ import annotations

import re
from typing import Any

_LISTENS = re.compile(r"socket_address: \{address: 0\.0\.0\.0, ")
_BY_BOTH = 'socket_address: {address: "::", ipv4_compat: true, '
"""An Envoy that listens by both families (Envoy, `core.v3.SocketAddress`)."""
_PAST_THE_SIDECAR = "traffic.sidecar.istio.io/excludeOutboundIPRanges"
_ALL_IPV4, _ALL = "0.0.0.0/0", "0.0.0.0/0,::/0"


def listening_by_both(body: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap whose Envoy listens at IPv4 alone, by both: kubelet and Services reach pods by their first family."""
    data = body.get("data") or {}
    made = {name: _LISTENS.sub(_BY_BOTH, text) for name, text in data.items()}
    return {**body, "data": made} if body["kind"] == "ConfigMap" and made != data else body


def past_the_sidecar(annotations: dict[str, str]) -> dict[str, str]:
    """Annotations of a pod that keep all of IPv4 out of its sidecar, with all of IPv6."""
    if annotations.get(_PAST_THE_SIDECAR) != _ALL_IPV4:
        return annotations
    return {**annotations, _PAST_THE_SIDECAR: _ALL}
