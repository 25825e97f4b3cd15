"""How a cluster that is up is reached, and what belongs to it: images, external hosts, istioctl."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from clients.model.images import SHOP
from testbed import internet
from testbed.addresses import GATEWAY_POOL
from testbed.lifecycle import EXTERNAL_LOG, RunningTestbed, Testbed
from testbed.parts import ImageNames

POOL_ANNOTATION = {"cni.projectcalico.org/ipv4pools": '["gateway"]'}
"""Annotation of a pod that is to get an address from which the blocked external hosts are reachable."""
IMAGES = {
    **{name: name for name in ("sleep", "httpbin", "traffic")},
    "envoy": "proxyv2",
    **dict.fromkeys((*SHOP, "porter"), "boutique"),
}
"""Logical image names that manifests may use → images of the testbed; the mesh's proxy image contains Envoy.

One image replaces all images of the shop: each container's variable `SERVICE` selects the service.
"""


@dataclass(frozen=True)
class ExternalAddresses:
    """The hermetic internet of a testbed.

    Attributes:
        hosts: name → address, reachable from gateway pods only; DNS knows these names.
        open_hosts: name → another address of it, reachable from every pod; DNS does not know these.
        roots: PEM of the authority that signed the hosts' certificates.
        log: a JSON object a line: each request, and each failed TLS handshake.
        gateway_pool: addresses of pods with `POOL_ANNOTATION`.
        more: name → its further addresses that DNS knows.
        google_apis, metadata_server: CIDRs that replace Google's 199.36.153.8/30 and 169.254.169.254/32.
    """

    hosts: dict[str, str]
    open_hosts: dict[str, str]
    roots: Path
    log: Path
    gateway_pool: str = str(GATEWAY_POOL)
    google_apis: str = str(internet.GOOGLE_APIS)
    metadata_server: str = str(internet.METADATA_SERVER)
    more: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Up:
    """A testbed that is up.

    Attributes:
        kubeconfig: file with an administrator's rights.
        images: logical name in manifests → reference that the node has.
        external: None if an older version of meshproof started the testbed.
        istioctl: the program, of the mesh's own version; None as above.
        left: what of a file of `meshproof like` was not carried over, each with the reason.
    """

    kubeconfig: Path
    istio_version: str
    kubernetes_version: str
    images: dict[str, str]
    external: ExternalAddresses | None = None
    istioctl: Path | None = None
    left: tuple[str, ...] = ()


def as_up(running: RunningTestbed) -> Up:
    """The embedded cluster, which is up."""
    istioctl = Path(running.istioctl) if running.istioctl else None
    return Up(
        Path(running.kubeconfig), running.istio, running.kubernetes, images(running), external(Testbed()), istioctl
    )


def images(running: RunningTestbed) -> dict[str, str]:
    """Logical name in manifests → reference that the nodes of a running cluster have."""
    names = ImageNames(running.tag)
    return {name: names.of(image) for name, image in IMAGES.items()}


def external(testbed: Testbed) -> ExternalAddresses | None:
    """The hermetic internet of a cluster that is up; None if an older version of meshproof started it."""
    node = testbed.node
    roots = node.folder("etc") / "external" / "roots.pem"
    if not roots.exists():
        return None
    hosts = {host.name: host.addresses[0] for host in internet.HOSTS}
    open_hosts = {host.name: host.open_addresses[0] for host in internet.HOSTS if host.open_addresses}
    more = {host.name: list(host.addresses[1:]) for host in internet.HOSTS if host.addresses[1:]}
    return ExternalAddresses(hosts, open_hosts, roots, node.folder("log") / EXTERNAL_LOG, more=more)
