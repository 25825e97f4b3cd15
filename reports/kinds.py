"""Kinds of policies among the objects that were applied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

NO_POLICIES = frozenset({
    "ConfigMap", "CustomResourceDefinition", "DaemonSet", "Deployment", "Endpoints", "EndpointSlice", "Job",
    "Namespace", "Pod", "Secret", "Service", "ServiceAccount", "StatefulSet",
})  # fmt: skip
"""Kinds of applied objects that say nothing of traffic, so that no time to stable is counted for them."""


class Kinded(Protocol):
    """An object that has a kind."""

    @property
    def kind(self) -> str:
        """The kind, as Kubernetes names it."""


def policy_kinds(applied: Iterable[Kinded]) -> tuple[str, ...]:
    """Kinds of policies among these objects, sorted."""
    return tuple(sorted({item.kind for item in applied} - NO_POLICIES))
