"""The capability that mutual TLS between sidecars needs, as manifests and requests show it.

A suite states it only where no policy asks for a certificate: it is in a header, or in telemetry.

Rules: Istio's references of PeerAuthentication and AuthorizationPolicy. A mode, and a source by its identity or its
namespace, are judged by the certificate of the client's proxy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from clients.apply.item import manifest_files
from clients.kube.fields import spec_of
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.errors import ManifestError
from clients.model.probe import Probe
from runner.session.needs.sidecars import MANIFESTS, bodies_of, sidecars
from runner.session.planned import Proves

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
    there, service = sidecars(), probe.destination.split(".")
    return there.send(probe.source) and there.has(service[1] if service[1:] else "")


@cache
def _judges(path: str) -> bool:
    """Whether a manifest, or one of a folder, has a policy that looks at a client's certificate."""
    try:
        return any(_looks_at_certificate(body) for body in bodies_of(manifest_files(MANIFESTS, path)))
    except ManifestError:  # a mistake of the author's, which `runner.session.planning.mistakes` names
        return False


def _looks_at_certificate(body: Mapping[str, Any]) -> bool:
    if body["kind"] == "AuthorizationPolicy":
        words = json.dumps(spec_of(body))
        return any(f'"{name}"' in words for name in _BY_CERTIFICATE)
    return bool(body["kind"] == "PeerAuthentication")
