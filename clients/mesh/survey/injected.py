"""The proxy that injection puts into a pod, by a dry run: it shows the mesh where no control plane can be seen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import annotations_of, spec_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, REVISION_LABEL
from clients.kube.pods import SIDECAR
from clients.mesh.survey import meshconfig
from clients.mesh.survey.injection import Revision
from clients.model import cluster_domain
from clients.model.errors import ClusterError

DRY_RUN_NAMESPACE = "default"
_INJECTED = "security.istio.io/tlsMode=istio"
"""Label that injection gives to pods."""
_DOMAIN = "--domain"
_DOMAIN_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?(-(asm|alpha|beta|rc|dev)[\w.]*)?")


@dataclass(frozen=True)
class InjectedProxy:
    """What a pod shows of the proxy that was injected into it.

    Attributes:
        image: reference of the proxy's image.
        discovery: `host:port` of the control plane that it asks; empty where the pod does not say.
        domain: of the cluster, in the full names of Services; empty where the pod does not say.
        resolves: it answers the pod's requests for names itself (Istio, "DNS Proxying").
        config: what its ProxyConfig states other than Istio's default; empty where the pod does not say.
    """

    image: str
    discovery: str = ""
    domain: str = ""
    resolves: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """From the tag of its image; empty where that is no version."""
        return version_of(self.image)


def version_of(image: str, label: str = "") -> str:
    """Version of the mesh by the tag of an image (`1.29.1-distroless`, `1.15.7-asm.23`), or else by a label.

    The tag comes first: some builds are labelled with the chart's version.
    """
    name = image.split("@", 1)[0]
    tag = name.rsplit(":", 1)[1] if ":" in name.rsplit("/", 1)[-1] else ""
    found = (_VERSION.match(stated) for stated in (tag, label))
    return next((match.group() for match in found if match), "")


def injected_proxy(cluster: Cluster, revision: Revision) -> InjectedProxy | None:
    """The proxy of a pod that is created by dry run, or else of one that is there; None where neither shows one."""
    with suppress(ClusterError):
        tried: dict[str, Any] = cluster.apply(_pod(revision), manager=MANAGER, dry_run=True)
        if proxy := _proxy(tried):
            return proxy
    with suppress(ClusterError):
        there = cluster.objects("v1", "Pod", labels=_INJECTED)
        return next((proxy for body in there if _is_of(body, revision) and (proxy := _proxy(body))), None)
    return None


def _pod(revision: Revision) -> dict[str, Any]:
    """A pod that is never run, and that the strictest level of pod security admits as it is sent."""
    labels = {MANAGED_BY_LABEL: MANAGER, "sidecar.istio.io/inject": "true"}
    labels |= {REVISION_LABEL: revision.label} if revision.label else {}
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "never-run", "image": "registry.k8s.io/pause:3.10", "securityContext": security}
    meta = {"name": "meshproof-dry-run", "namespace": DRY_RUN_NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}}


def _is_of(body: dict[str, Any], revision: Revision) -> bool:
    annotations = annotations_of(body)
    return annotations.get(REVISION_LABEL) in (None, revision.name)


def _proxy(body: dict[str, Any]) -> InjectedProxy | None:
    spec = spec_of(body)
    containers = [*spec.get("containers", ()), *spec.get("initContainers", ())]
    found = next((one for one in containers if one["name"] == SIDECAR), None)
    if found is None:
        return None
    domain = cluster_domain.domain_of(stated_domain(found))  # `$(POD_NAMESPACE).svc.cluster.local`
    variables = {str(one.get("name")): one.get("value") for one in found.get("env", ())}
    resolves = meshconfig.is_true(variables.get(meshconfig.DNS_CAPTURE))
    config = _config(variables.get("PROXY_CONFIG"))
    discovery = str(config.get("discoveryAddress") or "")
    return InjectedProxy(str(found.get("image", "")), discovery, domain, resolves, config)


def stated_domain(container: dict[str, Any]) -> str:
    """Value of the argument `--domain` of istiod or of a proxy; empty where it states none, or by a variable."""
    words = [*map(str, container.get("args") or ()), ""]
    values = (
        following if word == _DOMAIN else word.removeprefix(f"{_DOMAIN}=")
        for word, following in pairwise(words)
        if word == _DOMAIN or word.startswith(f"{_DOMAIN}=")
    )
    value = next(values, "").strip(".")
    return value if _DOMAIN_NAME.fullmatch(value.removeprefix("$(POD_NAMESPACE).")) else ""


def _config(text: Any) -> dict[str, Any]:
    """The proxy's configuration, which is in a variable as JSON; empty where that is no such thing."""
    with suppress(ValueError):
        found = json.loads(str(text or "{}"))
        return found if isinstance(found, dict) else {}
    return {}
