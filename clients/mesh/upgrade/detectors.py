"""Detectors of which objects a change of Istio touches: those that several changes share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from clients.kube.fields import annotations_of, kind_and_name, spec_of
from clients.mesh.upgrade.change import Detector
from clients.mesh.upgrade.view import CONFIGURATION, Json, MeshView


def every(*keys: str, where: Callable[[Json], Any] = lambda _: True, unless: Iterable[str] = ()) -> Detector:
    """All objects of these kinds that a condition holds for.

    Args:
        unless: variables of istiod that keep the old behaviour when they are set to `false`.
    """
    kept = tuple(unless)

    def touches(view: MeshView) -> Iterator[str]:
        if not is_kept(view, kept):
            yield from (kind_and_name(body) for body in view.of(*keys) if where(body))

    return touches


def mentions(*words: str, keys: tuple[str, ...]) -> Detector:
    """All objects of these kinds whose specification contains one of the words."""
    return every(*keys, where=lambda body: any(word in json.dumps(spec_of(body)).lower() for word in words))


def annotated(name: str) -> Detector:
    """Pods with an annotation."""
    return every("Pod", where=lambda body: name in annotations_of(body))


def ambient(*keys: str, where: Callable[[Json], Any] = lambda _: True) -> Detector:
    """Objects of these kinds in a mesh that has workloads without sidecars; those workloads where no kind is named."""

    def touches(view: MeshView) -> Iterator[str]:
        bodies = view.of(*keys) if keys else view.ambient
        if view.ambient:
            yield from (kind_and_name(body) for body in bodies if where(body))

    return touches


def providers(*kinds: str) -> Detector:
    """Extension providers of MeshConfig of these kinds, and tracers of the default configuration."""

    def touches(view: MeshView) -> Iterator[str]:
        for mesh in view.configurations:
            for one in mesh.get("extensionProviders") or ():
                if any(kind in one for kind in kinds):
                    yield f"MeshConfig extensionProviders[{one.get('name')}]"
            tracer = ((mesh.get("defaultConfig") or {}).get("tracing")) or {}
            yield from (f"MeshConfig defaultConfig.tracing.{kind}" for kind in kinds if _tracer(kind) in tracer)

    return touches


def text_of_configuration(*words: str) -> Detector:
    """All that a control plane reads and that contains one of the words."""
    return mentions(*words, keys=CONFIGURATION)


def is_kept(view: MeshView, variables: Iterable[str]) -> bool:
    """Whether one of these variables of istiod is set to `false`, which keeps the old behaviour."""
    return any(view.variables.get(name, "").lower() == "false" for name in variables)


def _tracer(kind: str) -> str:
    return {"opencensus": "openCensusAgent"}.get(kind, kind)
