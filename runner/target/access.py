"""How a target is reached, and what belongs to it: external hosts, istioctl, images. Plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from clients.kube.cluster import Cluster

GOOGLE_APIS, METADATA_SERVER = "199.36.153.8/30", "169.254.169.254/32"
"""Private Google Access, and the metadata server of GKE (Google Cloud's documentation of both)."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class ExternalHostsRecord:
    """Hosts outside of the cluster, in plain values; see `clients.mesh.external_hosts.ExternalHosts`.

    Attributes:
        roots: file with the certificates that verify them.
        log: the hosts' own log; empty where it cannot be read.
        more: further addresses of some hosts.
        ports: they also answer by HTTP at ports 8080, 53, 988 and 15012, and by UDP at 443 and 53.
        blocked: the network is known to let only gateways reach them, but for the addresses `open.NAME`.
        google_apis, metadata_server: ranges that network policies name.
    """

    hosts: dict[str, str] = field(default_factory=dict)
    roots: str = ""
    log: str = ""
    google_apis: str = GOOGLE_APIS
    metadata_server: str = METADATA_SERVER
    more: dict[str, list[str]] = field(default_factory=dict)
    ports: bool = False
    blocked: bool = False


@dataclass(frozen=True)
class Access:
    """How the target is reached.

    Attributes:
        kubeconfig: file; empty for the default search of the client library.
        context: of the kubeconfig; empty for the current one.
        images: logical name to image reference.
        istioctl: the program; empty where there is none.
    """

    kubeconfig: str = ""
    context: str = ""
    images: dict[str, str] = field(default_factory=dict)
    outside: ExternalHostsRecord = field(default_factory=ExternalHostsRecord)
    istioctl: str = ""

    def connect(self) -> Cluster:
        """A connection to the target.

        Raises:
            ClusterError: the kubeconfig cannot be used, or the API server does not answer.
            AccessError: the API server does not accept the identity.
        """
        return Cluster.connect(Path(self.kubeconfig) if self.kubeconfig else None, self.context or None)
