"""The forms of the objects that detectors read: an object of another one is named, and nothing else is said of it.

The API server refuses such an object, unless its definition is an older one that leaves types open. A manifest has it
before it is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Each:
    """A mapping of names that are not known before."""

    shape: Any


@dataclass(frozen=True)
class Listed:
    """A list; `nulls` where an empty entry is one of the API's forms as well."""

    shape: Any
    nulls: bool = False


_WORDS = {str: "a text", bool: "true or false", int: "a whole number", dict: "an object", list: "a list"}
"""A shape is one of these types, a tuple of several, a mapping of fields, `Each`, or `Listed`. A field whose name ends
with an exclamation mark must be there; any other may be absent or null, and those that are not named are anything."""
_TEXTS, _OF_TEXTS = Listed(str), Each(str)
_META = {"name!": str, "namespace": str, "labels": _OF_TEXTS, "annotations": _OF_TEXTS}
_ATTACHED = {
    "selector": {"matchLabels": _OF_TEXTS},
    "targetRefs": Listed({"kind": str, "name": str}),
    "targetRef": {"kind": str, "name": str},
}
_RULE = {
    "from": Listed({"source": Each(_TEXTS)}),
    "to": Listed({"operation": Each(_TEXTS)}),
    "when": Listed({"key!": str, "values": _TEXTS, "notValues": _TEXTS}),
}
_TOKENS = {"issuer": str, "fromHeaders": Listed(dict), "fromParams": _TEXTS, "fromCookies": _TEXTS}
_TLS = {"tls": {"mode": str, "insecureSkipVerify": bool}}
_TRAFFIC = {**_TLS, "portLevelSettings": Listed({"port": {"number": int}, **_TLS})}
_LABELS = {
    "matchLabels": _OF_TEXTS,
    "matchExpressions": Listed({"key!": str, "operator": str, "values": _TEXTS}),
}
_PEERS = Listed({"ipBlock": dict, "namespaceSelector": _LABELS, "podSelector": _LABELS})
_PORTS = Listed({"port": (int, str), "endPort": int})
_CONTAINERS = Listed(
    {"name!": str, "args": _TEXTS, "env": Listed(dict), "ports": Listed({"name": str, "containerPort!": int})}
)
_POD = {"serviceAccountName": str, "containers": _CONTAINERS, "initContainers": _CONTAINERS}
_TEMPLATE = {"metadata": {"labels": _OF_TEXTS, "annotations": _OF_TEXTS}, "spec": _POD}
_OF_TEMPLATE = {"template!": _TEMPLATE}
_SPECS: Mapping[str, Any] = {
    "AuthorizationPolicy": {**_ATTACHED, "action": str, "rules": Listed(_RULE)},
    "PeerAuthentication": {**_ATTACHED, "mtls": {"mode": str}, "portLevelMtls": Each({"mode": str})},
    "RequestAuthentication": {**_ATTACHED, "jwtRules": Listed(_TOKENS)},
    "DestinationRule": {
        "host": str,
        "exportTo": _TEXTS,
        "trafficPolicy": _TRAFFIC,
        "subsets": Listed({"trafficPolicy": _TRAFFIC}),
    },
    "ServiceEntry": {
        "hosts": _TEXTS,
        "addresses": _TEXTS,
        "resolution": str,
        "ports": Listed({"number": int, "protocol": str}),
    },
    "NetworkPolicy": {
        "podSelector": _LABELS,
        "policyTypes": _TEXTS,
        "ingress": Listed({"from": _PEERS, "ports": _PORTS}, nulls=True),
        "egress": Listed({"to": _PEERS, "ports": _PORTS}, nulls=True),
    },
    "Service": {
        "selector": _OF_TEXTS,
        "ports": Listed(
            {"name": str, "port!": int, "targetPort": (int, str), "protocol": str, "appProtocol": str},
        ),
    },
    "Pod": _POD,
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"), _OF_TEMPLATE),
    "CronJob": {"jobTemplate!": {"spec!": _OF_TEMPLATE}},
}


def problem(body: Json) -> str:
    """What of an object has another form than the API's: `spec.rules is a text, where a list is expected`.

    Empty where nothing has, and for an object of any other kind.
    """
    return next(_problems({"metadata!": _META, "spec": _SPECS.get(str(body.get("kind")), object)}, body, ""), "")


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, Listed):
        yield from _of_list(shape, value, path)
    elif isinstance(shape, Each | dict):
        yield from _of_mapping(shape, value, path)
    elif shape is not object and not any(_is(value, kind) for kind in (shape if isinstance(shape, tuple) else [shape])):
        yield _wrong(value, shape, path)


def _of_list(shape: Listed, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _wrong(value, list, path)
        return
    for number, one in enumerate(value):
        if one is not None or not shape.nulls:
            yield from _problems(shape.shape, one, f"{path}[{number}]")


def _of_mapping(shape: Each | dict[str, Any], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield _wrong(value, dict, path)
        return
    fields = dict.fromkeys(map(str, value), shape.shape) if isinstance(shape, Each) else shape
    own = {str(name): one for name, one in value.items()}
    for name, inner in fields.items():
        plain = name.removesuffix("!")
        there = f"{path}.{plain}" if path else plain
        if own.get(plain) is not None:
            yield from _problems(inner, own[plain], there)
        elif plain != name or (isinstance(shape, Each) and inner is str):
            yield f"{there} is missing"


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _wrong(value: Any, shape: Any, path: str) -> str:
    wanted = " or ".join(_WORDS[one] for one in (shape if isinstance(shape, tuple) else [shape]))
    seen = (
        "null"
        if value is None
        else next((words for kind, words in _WORDS.items() if _is(value, kind)), "of no type that the API has there")
    )
    return f"{path} is {seen}, where {wanted} is expected"
