"""Warnings about policies that may not do what they seem to: of manifests for `plan`, of a cluster for `doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape

from clients.kube.cluster import Cluster
from clients.mesh.why import detectors, reading
from clients.mesh.why.view import PolicyView, view_of
from runner.session.planned import PlannedTest

SHOWN = 3
"""Lines of one kind that `plan` prints."""
Warnings = Mapping[str, Sequence[str]]
"""Name of a detector → its lines, each once."""


def of_manifests(entries: Iterable[PlannedTest], folder: Path) -> Warnings:
    """What the manifests of the selected stages do, by their own names, each stage as a whole.

    A manifest that cannot be read is left out: the plan names it where it lists its objects.
    """
    stages = dict.fromkeys((entry.environment, entry.apply, entry.removed) for entry in entries)
    read: dict[str, list[dict[str, Any]]] = {}
    found: dict[str, dict[str, None]] = {}
    for environment, apply, removed in stages:
        paths = [*environment, *(path for path in apply if path not in removed)]
        objects = [body for path in paths for body in read.setdefault(path, _objects(folder / path))]
        for name, lines in _lines(view_of(objects, known=reading.KINDS)).items():
            found.setdefault(name, {}).update(dict.fromkeys(lines))
    return {name: list(lines) for name, lines in found.items()}


def of_cluster(cluster: Cluster, root: str) -> tuple[Warnings, list[str], int]:
    """What the policies on a cluster do, what could not be read of it, and how many policies there are.

    Args:
        root: namespace whose policies apply to the whole mesh.
    """
    view, refused = reading.read_all(cluster, root)
    return _lines(view), refused, len(view.policies)


def show(found: Warnings, console: Console) -> None:
    """Print them, a heading for all, then each kind with its first lines."""
    if not found:
        return
    console.print("\n[bold]Policies that may not do what they seem to[/bold]  (docs/why.md)")
    for name, lines in found.items():
        for line in lines[:SHOWN]:
            console.print(f"  {name:24} {escape(line)}")
        if len(lines) > SHOWN:
            console.print(f"  {name:24} and {len(lines) - SHOWN} more of this kind")


def _lines(view: PolicyView) -> dict[str, list[str]]:
    found = detectors.of_objects(view).items()
    return {name: list(dict.fromkeys(reason.text for reason in reasons)) for name, reasons in found}


def _objects(path: Path) -> list[dict[str, Any]]:
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    try:
        found = [body for file in files for body in yaml.safe_load_all(file.read_text(encoding="utf-8")) if body]
    except (OSError, ValueError, RecursionError, yaml.YAMLError):  # no UTF-8, or nested too deeply
        return []
    return [body for body in found if isinstance(body, dict) and body.get("kind") and _named(body)]


def _named(body: dict[str, Any]) -> bool:
    return isinstance(body.get("metadata"), dict) and "name" in body["metadata"]
