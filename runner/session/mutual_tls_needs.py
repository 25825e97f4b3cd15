"""The capability that mutual TLS between sidecars needs, as manifests and requests show it.

A suite states it only where no policy asks for a certificate: it is in a header, or in telemetry.

Rules: Istio's references of PeerAuthentication and AuthorizationPolicy. A mode, and a source by its identity or its
namespace, are judged by the certificate of the client's proxy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clients.apply.item import manifest_files
from clients.apply.yaml_text import load
from clients.mesh.capabilities import CapabilityName
from clients.model.errors import ManifestError
from clients.model.probe import Probe
from clients.probe.outside import OUTSIDE
from runner.config.settings import ROOT
from runner.session.planned import Proves

MANIFESTS = ROOT / "manifests"
_INJECTED = ("istio-injection", "enabled")
_OPTED_OUT = ("sidecar.istio.io/inject", "false")
_BY_CERTIFICATE = frozenset(
    {
        "principals",
        "notPrincipals",
        "namespaces",
        "notNamespaces",
        "serviceAccounts",
        "notServiceAccounts",
        "source.principal",
        "source.namespace",
        "source.serviceAccount",
    }
)
"""Fields of a source, and keys of a condition, that a policy takes from the client's certificate."""


def mutual_tls_needs(proves: Proves) -> set[str]:
    """What the requests need that a test sends from proxy to proxy, in a stage whose policies look at certificates."""
    stage = proves.stage
    if stage is None:
        return set()
    applied = (*stage.environment, *stage.apply, *stage.replaced, *(path for one in proves.steps for path in one.apply))
    if not any(map(_judges, applied)):
        return set()
    return {CapabilityName.AUTO_MTLS.value} if any(map(_by_proxies, proves.sends)) else set()


def _by_proxies(probe: Probe) -> bool:
    """Whether a proxy of the mesh sends the request on to a Service whose pods have a sidecar."""
    there = _proxies()
    service = probe.destination.split(".")
    return there.has(probe.source.namespace, probe.source.app) and there.has(service[1] if service[1:] else "")


@dataclass(frozen=True)
class _Proxies:
    """What the manifests inject.

    Attributes:
        namespaces: whose pods get a sidecar.
        without: (namespace, `app` label) of pods there that opt out.
    """

    namespaces: frozenset[str]
    without: frozenset[tuple[str, str]]

    def has(self, namespace: str, app: str = "") -> bool:
        """Whether pods of this app have one; clients outside come by a gateway, which is one."""
        return namespace == OUTSIDE or (namespace in self.namespaces and (namespace, app) not in self.without)


@cache
def _proxies() -> _Proxies:
    bodies = list(_bodies(MANIFESTS.rglob("*.yaml")))
    spaces = [one["metadata"] for one in bodies if one["kind"] == "Namespace"]
    pods = [(one["metadata"], one["spec"].get("template", one)["metadata"]) for one in bodies if _is_workload(one)]
    return _Proxies(
        frozenset(one["name"] for one in spaces if _INJECTED in (one.get("labels") or {}).items()),
        frozenset(
            (str(meta.get("namespace")), str((pod.get("labels") or {}).get("app", meta["name"])))
            for meta, pod in pods
            if _OPTED_OUT in {**(pod.get("annotations") or {}), **(pod.get("labels") or {})}.items()
        ),
    )


def _is_workload(body: Mapping[str, Any]) -> bool:
    return body["kind"] in ("Deployment", "Job", "Pod", "StatefulSet")


@cache
def _judges(path: str) -> bool:
    """Whether a manifest, or one of a folder, has a policy that looks at a client's certificate."""
    try:
        return any(_looks_at_certificate(body) for body in _bodies(manifest_files(MANIFESTS, path)))
    except ManifestError:  # a mistake of the author's, which `runner.session.mistakes` names
        return False


def _looks_at_certificate(body: Mapping[str, Any]) -> bool:
    if body["kind"] == "AuthorizationPolicy":
        words = json.dumps(body.get("spec") or {})
        return any(f'"{name}"' in words for name in _BY_CERTIFICATE)
    return bool(body["kind"] == "PeerAuthentication")


def _bodies(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from (body for body, _ in load(file.read_text(encoding="utf-8"), file.name))
