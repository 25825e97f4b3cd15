"""Which workloads of the manifests have a sidecar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clients.apply.item import manifest_text
from clients.apply.overlay import INJECTION_LABEL
from clients.apply.yaml_text import load
from clients.kube.fields import spec_of
from clients.mesh.why import forms
from clients.model.probe import Workload
from clients.probe.outside import OutsideClient
from runner.config.settings import ROOT

MANIFESTS = ROOT / "manifests"
_INJECTED = (INJECTION_LABEL, "enabled")
_OPTED_OUT = ("sidecar.istio.io/inject", "false")


@dataclass(frozen=True)
class Sidecars:
    """What the manifests inject.

    Attributes:
        namespaces: whose pods get a sidecar.
        without: (namespace, `app` label) of pods there that opt out.
    """

    namespaces: frozenset[str]
    without: frozenset[tuple[str, str]]

    def has(self, namespace: str, app: str = "") -> bool:
        """Whether pods of this app have one."""
        return namespace in self.namespaces and (namespace, app) not in self.without

    def send(self, source: Workload) -> bool:
        """Whether one sends the requests of a client; those of clients outside come by a gateway, which is one."""
        return isinstance(source, OutsideClient) or self.has(source.namespace, source.app)


@cache
def sidecars() -> Sidecars:
    """Of all manifests, but for objects of another form than the API's. Raises ManifestError as `bodies_of` does."""
    return sidecars_of(body for body in bodies_of(MANIFESTS.rglob("*.yaml")) if not forms.problem(body))


def sidecars_of(objects: Iterable[Mapping[str, Any]]) -> Sidecars:
    """Of manifests, each of the API's form."""
    bodies = list(objects)
    spaces = [one["metadata"] for one in bodies if one["kind"] == "Namespace"]
    pods = [(one["metadata"], _template(one).get("metadata") or {}) for one in bodies if _is_workload(one)]
    return Sidecars(
        frozenset(one["name"] for one in spaces if _INJECTED in (one.get("labels") or {}).items()),
        frozenset(
            (str(meta.get("namespace")), str((pod.get("labels") or {}).get("app", meta["name"])))
            for meta, pod in pods
            if _OPTED_OUT in {**(pod.get("annotations") or {}), **(pod.get("labels") or {})}.items()
        ),
    )


def _template(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(spec_of(body).get("template") or body)


def _is_workload(body: Mapping[str, Any]) -> bool:
    return body["kind"] in ("Deployment", "Job", "Pod", "StatefulSet")


def bodies_of(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The objects of manifests, as their authors wrote them.

    Raises:
        ManifestError: a file cannot be read, or is no YAML of objects.
    """
    for file in files:
        yield from (body for body, _ in load(manifest_text(file), file.name))
