"""One object of a manifest, and the files that a path of manifests names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.kube.fields import spec_of
from clients.model.errors import ManifestError


@dataclass(frozen=True)
class Item:
    """One object of a manifest, as it is sent to the cluster. `body` must not be changed."""

    manifest: str
    body: dict[str, Any]

    @property
    def api_version(self) -> str:
        """For instance `apps/v1`."""
        return str(self.body["apiVersion"])

    @property
    def kind(self) -> str:
        """For instance `Deployment`."""
        return str(self.body["kind"])

    @property
    def namespace(self) -> str:
        """Its namespace; empty for an object of the whole cluster."""
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.body["metadata"]["name"])

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Its identity in the cluster."""
        return self.api_version, self.kind, self.namespace, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


_MAKES_PODS = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "Gateway"})
"""Kinds whose objects have pods; those of a Gateway are its controller's (Gateway API, GEP-1762)."""


@dataclass(frozen=True)
class Accepted:
    """What the API server made of an object: its uid, and its generation, which grows with each change of its spec.

    `generation` is None for kinds without one.
    """

    uid: str
    generation: int | None


def containers_of(items: Iterable[Item], namespace: str, labels: Mapping[str, str]) -> frozenset[str]:
    """Names of the containers that the objects state for a pod with these labels; empty where none is such a pod's."""
    found: set[str] = set()
    for item in items:
        body = item.body if item.kind == "Pod" else spec_of(item.body).get("template") or {}
        own = (body.get("metadata") or {}).get("labels") or {}
        if item.kind in _MAKES_PODS and item.namespace == namespace and own and own.items() <= labels.items():
            spec = spec_of(body)
            found |= {str(one["name"]) for kind in ("containers", "initContainers") for one in spec.get(kind) or ()}
    return frozenset(found)


def with_pods(items: Iterable[Item]) -> set[str]:
    """Namespaces of the objects that have pods."""
    return {item.namespace for item in items if item.kind in _MAKES_PODS}


def bound_role(item: Item) -> tuple[str, str] | None:
    """(namespace, name) of the Role that it binds; None where it binds none."""
    return (item.namespace, item.body["roleRef"]["name"]) if item.kind == "RoleBinding" else None


def manifest_files(root: Path, path: str) -> list[Path]:
    """The file that a path of manifests names, or the `*.yaml` of the folder, by name.

    Raises:
        ManifestError: there is none.
    """
    place = root / path
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files or not all(file.is_file() for file in files):
        raise ManifestError(f"no manifest {path}", f"it should be a file or a folder of *.yaml below {root.name}/")
    return files


def manifest_text(file: Path) -> str:
    """The text of a manifest. Raises ManifestError where it cannot be read, or is no UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"the manifest {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} of it is {error.object[error.start]:#04x}"
        raise ManifestError(f"the manifest {file} is not text in UTF-8: {byte}", "save it as UTF-8") from None
