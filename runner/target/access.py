"""How the target is reached, and what stands beside it: external hosts, istioctl, the egress gateway."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

from clients.model.images import SHOP
from runner.config.settings import Hosts, Settings, TargetKind
from runner.target import kind

if TYPE_CHECKING:
    from testbed.api import Up

PUBLIC_IMAGES = {
    "sleep": "curlimages/curl:8.16.0",
    "httpbin": "mccutchen/go-httpbin:v2.15.0",
    "envoy": "envoyproxy/envoy:v1.37.0",
    "porter": "registry.k8s.io/e2e-test-images/agnhost:2.53",
    **{name: f"us-central1-docker.pkg.dev/google-samples/microservices-demo/{name}:v0.10.3" for name in SHOP},
}
"""Images for a cluster that is not the embedded one: of Istio's samples, Envoy, Kubernetes' tests, the shop."""

INTERNET_HOSTS = (
    "example.com",
    "httpbin.org",
    "storage.googleapis.com",
    "private.googleapis.com",
    "metadata.google.internal",
)
"""Hosts that the documents name; their addresses are not ours to know."""
GOOGLE_APIS, METADATA_SERVER = "199.36.153.8/30", "169.254.169.254/32"
"""Private Google Access, and the metadata server of GKE (Google Cloud's documentation of both)."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class ExternalHostsRecord:
    """Hosts outside of the cluster, in plain values; see `clients.mesh.external_hosts.External`.

    Attributes:
        roots: file with the certificates by which they are verified.
        log: the hosts' own log; empty where it cannot be read.
        more: further addresses of some hosts.
        google_apis, metadata_server: ranges that network policies name.
    """

    hosts: dict[str, str] = field(default_factory=dict)
    roots: str = ""
    log: str = ""
    google_apis: str = GOOGLE_APIS
    metadata_server: str = METADATA_SERVER
    more: dict[str, list[str]] = field(default_factory=dict)

    @property
    def capabilities(self) -> set[str]:
        """By the catalogue's names, and ours."""
        found = {"external-hosts"} if self.hosts else set()
        if self.log:
            found |= {"external-log", "external-block", "external-open"}
        return found


@dataclass(frozen=True)
class Access:
    """The way to the target.

    Attributes:
        kubeconfig: file; empty for the client's usual search.
        context: of the kubeconfig; empty for the current one.
        images: logical name to image reference.
        istioctl: the program; empty where there is none.
    """

    kubeconfig: str = ""
    context: str = ""
    images: dict[str, str] = field(default_factory=dict)
    outside: ExternalHostsRecord = field(default_factory=ExternalHostsRecord)
    istioctl: str = ""

    @property
    def file(self) -> Path | None:
        """The kubeconfig; None for the usual search."""
        return Path(self.kubeconfig) if self.kubeconfig else None


def access(settings: Settings, say: Say) -> Access:
    """The way to the target; starts the embedded testbed if needed.

    Raises:
        MeshproofError: the target cannot be had.
    """
    given = {name: image for name, image in settings.images.model_dump().items() if image}
    if settings.target is TargetKind.EMBEDDED:
        return _embedded(settings, given, say)
    context = settings.context
    if settings.target is TargetKind.KIND:
        context = kind.context(settings.context)
        kind.load_archives(context, settings.archives)
    internet = settings.hosts is Hosts.INTERNET
    outside = (
        ExternalHostsRecord(dict.fromkeys(INTERNET_HOSTS, ""), certifi.where()) if internet else ExternalHostsRecord()
    )
    istioctl = str(settings.istioctl or shutil.which("istioctl") or "")
    return Access(str(settings.kubeconfig or ""), context, {**PUBLIC_IMAGES, **given}, outside, istioctl)


def of_testbed(testbed: Up) -> ExternalHostsRecord:
    """The hosts of a testbed; none where an older version of this program started it."""
    external = testbed.external
    if external is None:
        return ExternalHostsRecord()
    hosts = external.hosts | {f"open.{name}": address for name, address in external.open_hosts.items()}
    roots, log = str(external.roots), str(external.log)
    return ExternalHostsRecord(hosts, roots, log, external.google_apis, external.metadata_server, external.more)


def _embedded(settings: Settings, given: dict[str, str], say: Say) -> Access:
    from testbed import api  # loaded only here: other targets need nothing of it

    testbed = api.up(settings.istio or None, say)
    outside = of_testbed(testbed)
    istioctl = str(settings.istioctl or testbed.istioctl or "")
    return Access(str(testbed.kubeconfig), "", {**testbed.images, **given}, outside, istioctl)
