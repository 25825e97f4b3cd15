"""The objects that make a marker: a change of no other effect, which a probe can see at one proxy.

Each matches only requests that no user sends: an unguessable value in a header, or an unguessable host at a port
that no other configuration uses. See docs/convergence.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from clients.apply.item import Item
from clients.apply.overlay import Overlay
from clients.kube.labels import GATEWAY_NAME_LABEL
from clients.model.api_groups import GATEWAY_API, NETWORKING_V1, SECURITY_V1

HEADER = "x-meshproof-marker"
"""Header whose unguessable value the marker's policy refuses."""
MANIFEST = "marker"
"""Stands in place of a manifest's path."""
_PORTS = range(33_000, 60_000)
"""No manifest of this project uses a port among these."""
_UNIQUE = secrets.token_hex(3)
_PORT = secrets.choice(_PORTS)
"""Of this process: a marker that is sent again replaces its own object, and never another process's."""


def value() -> str:
    """A new unguessable value."""
    return secrets.token_hex(8)


def refusal(
    overlay: Overlay, namespace: str, selector: Mapping[str, str], labels: Mapping[str, str], port: int, word: str
) -> Item:
    """A policy that refuses requests with this word in `HEADER`, at the inbound port of the selected proxies.

    A DENY policy is asked before any ALLOW policy and changes nothing for a request that it does not match. The port is
    stated because fields of HTTP do not limit a DENY policy on a port of TCP, which would be shut (Istio,
    AuthorizationPolicy, Rule).

    Args:
        namespace: by its real name.
        selector: labels of the proxies' pods.
        labels: all labels of such a pod: a gateway of Kubernetes' API is selected by its name.
    """
    name = f"meshproof-marker-{_UNIQUE}-{'-'.join(map(str, selector.values()))}".lower()[:60].rstrip("-._")
    which: dict[str, Any] = {"selector": {"matchLabels": dict(selector)}}
    if gateway := labels.get(GATEWAY_NAME_LABEL):
        which = {"targetRefs": [{"group": GATEWAY_API, "kind": "Gateway", "name": gateway}]}
    rule = {
        "to": [{"operation": {"ports": [str(port)]}}],
        "when": [{"key": f"request.headers[{HEADER}]", "values": [word]}],
    }
    return _item(
        overlay,
        SECURITY_V1,
        "AuthorizationPolicy",
        namespace,
        name,
        {**which, "action": "DENY", "rules": [rule]},
    )


def answer(overlay: Overlay, namespace: str, word: str) -> tuple[Sequence[Item], str]:
    """A host that the sidecars of one namespace answer themselves, with this word; and its `host:port`.

    It is named as a Service of that namespace would be, which a scope that lets in its own namespace does not refuse.
    """
    name, host = f"meshproof-marker-{_UNIQUE}", overlay.host(f"{word}.{namespace}.svc.cluster.local")
    entry = {
        "hosts": [host],
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "resolution": "NONE",
        "ports": [{"number": _PORT, "name": "http", "protocol": "HTTP"}],
    }
    direct = {"directResponse": {"status": 200, "body": {"string": word}}}
    route = {"hosts": [host], "exportTo": ["."], "http": [direct]}
    return (
        _item(overlay, NETWORKING_V1, "ServiceEntry", namespace, name, entry),
        _item(overlay, NETWORKING_V1, "VirtualService", namespace, name, route),
    ), f"{host}:{_PORT}"


def _item(overlay: Overlay, group: str, kind: str, namespace: str, name: str, spec: dict[str, Any]) -> Item:
    metadata = {"name": name, "namespace": namespace, "labels": overlay.labels}
    return Item(MANIFEST, {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec})
