"""NetworkPolicies as the detectors see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clients.kube.fields import spec_of
from clients.mesh.why.objects import Json, WorkloadView

NETWORK = "NetworkPolicy"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that Kubernetes gives every namespace; others of a namespace are not read."""


class Direction(StrEnum):
    """Of a connection, as `policyTypes` names it."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


@dataclass(frozen=True)
class Rule:
    """One entry of `ingress` or `egress`.

    Attributes:
        peers: entries of `from` or `to`; empty for everywhere.
        ports: entries of `ports`; empty for all.
    """

    peers: tuple[Json, ...] = field(default=(), hash=False)
    ports: tuple[Json, ...] = field(default=(), hash=False)

    def lets(self, number: int) -> bool:
        """Whether it lets this port through, by TCP or UDP; a port by name may be any."""
        return not self.ports or any(_covers(port, number) for port in self.ports)

    def lets_any(self, numbers: Iterable[int]) -> bool:
        """Whether it lets one of these ports through."""
        return any(self.lets(number) for number in numbers)

    def names(self, number: int) -> bool:
        """Whether it names this very port."""
        return any(port.get("port") == number for port in self.ports)


@dataclass(frozen=True)
class NetworkPolicyView:
    """One NetworkPolicy.

    Attributes:
        types: the directions that it limits, stated or by default.
        types_stated: whether it has `policyTypes`.
    """

    namespace: str
    name: str
    selector: Json = field(default_factory=dict, hash=False)
    types: frozenset[Direction] = frozenset()
    types_stated: bool = True
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()

    def __str__(self) -> str:
        return f"{NETWORK} {self.namespace}/{self.name}"

    @property
    def selector_text(self) -> str:
        """`app=test,tier in (web, db)`."""
        return selector_text(self.selector)

    def rules(self, way: Direction) -> tuple[Rule, ...]:
        """Its rules for a direction."""
        return self.ingress if way is Direction.INGRESS else self.egress

    def isolates(self, workload: WorkloadView) -> bool:
        """Whether it selects the workload's pods."""
        return workload.namespace == self.namespace and matches(self.selector, workload.labels)

    def is_peer(self, peer: Json, workload: WorkloadView) -> bool:
        """Whether an entry of one of its lists is known to mean the workload's pods."""
        if "ipBlock" in peer:
            return False
        if "namespaceSelector" in peer:
            here = matches(peer["namespaceSelector"] or {}, {NAMESPACE_NAME: workload.namespace})
        else:
            here = workload.namespace == self.namespace
        return here and matches(peer.get("podSelector") or {}, workload.labels)

    @classmethod
    def from_json(cls, body: Json) -> NetworkPolicyView:
        """The NetworkPolicy of an API object or of a manifest."""
        meta, spec = body["metadata"], spec_of(body)
        ingress, egress = (_rules(spec.get(key), to) for key, to in (("ingress", "from"), ("egress", "to")))
        stated = [str(one) for one in spec.get("policyTypes") or ()]
        default = [Direction.INGRESS, *([Direction.EGRESS] if egress else [])]
        return cls(
            namespace=str(meta.get("namespace") or "default"),
            name=str(meta["name"]),
            selector=spec.get("podSelector") or {},
            types=frozenset(way for way in Direction if way in (stated or default)),
            types_stated=bool(stated),
            ingress=ingress,
            egress=egress,
        )


def matches(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) selects these labels; an empty one selects all."""
    wanted = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _holds(one, labels) for one in selector.get("matchExpressions") or ()
    )


def selector_text(selector: Json) -> str:
    """A label selector in one line, as `kubectl get --selector` takes it."""
    words = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        values = ", ".join(map(str, one.get("values") or ()))
        form = {"Exists": "{key}", "DoesNotExist": "!{key}", "In": "{key} in ({values})"}
        words.append(form.get(str(one.get("operator")), "{key} notin ({values})").format(key=one["key"], values=values))
    return ",".join(words)


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    """One entry of `matchExpressions`; `NotIn` holds where the label is absent, too."""
    operator, key = str(expression.get("operator")), str(expression.get("key"))
    listed = labels.get(key) in [str(value) for value in expression.get("values") or ()]
    return {"In": listed, "NotIn": not listed, "Exists": key in labels}.get(operator, key not in labels)


def _rules(stated: Any, peers: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(tuple(rule.get(peers) or ()), tuple(rule.get("ports") or ()))
        for rule in (one or {} for one in stated or ())
    )


def _covers(port: Json, number: int) -> bool:
    """Whether an entry of `ports` has this port; one without a number has all, and a name may be any."""
    first = port.get("port")
    if not isinstance(first, int):
        return True
    return first <= number <= int(port.get("endPort") or first)
