"""Held traffic with the settings of a run: names, images, the mesh's revision, and what the cluster demands."""

from __future__ import annotations

import base64
import secrets

from clients.apply.applier import Applier
from clients.apply.limits import Limits
from clients.apply.overlay import Overlay
from clients.hold import flows
from clients.hold.held import GATEWAYS, NAMESPACES
from clients.identity import certificates
from clients.identity.tokens import TokenIssuer
from clients.kube.cluster import Cluster
from clients.mesh.survey.prior import NOTHING_FOUND, Prior
from clients.model import cluster_domain
from clients.model.addresses import as_range
from clients.model.errors import ClusterError, SettingsError
from clients.model.redact import remember
from runner.config.settings import ROOT, Settings
from runner.target.access import Access
from runner.target.fitting import fitting

IMAGE = "traffic"
START_S = 120.0


def require_image(there: Access) -> None:
    """Raise SettingsError where no image of the traffic generator is named: no registry serves it."""
    if IMAGE not in there.images:
        hint = "build it as docs/hold.md has it, and name it by images.traffic"
        raise SettingsError("no image of the traffic generator is set", hint)


def applier(
    cluster: Cluster,
    settings: Settings,
    there: Access,
    label: str,
    *,
    own: bool,
    domain: str = cluster_domain.DEFAULT,
    prior: Prior = NOTHING_FOUND,
) -> Applier:
    """What applies the manifests of a new hold, under an id of its own.

    Args:
        label: value of `istio.io/rev` for its namespaces; empty keeps `istio-injection: enabled`.
        own: the cluster is the harness's.
        domain: of the cluster, in the full names of Services.
        prior: what is in force in the mesh.

    Raises:
        SettingsError: no image of the traffic generator is named.
        ClusterError: the API server's address is not known.
    """
    require_image(there)
    service = cluster.get("v1", "Service", "kubernetes", "default")
    if service is None:
        raise ClusterError("the Service default/kubernetes is missing", "the clients write what they see through it")
    name = secrets.token_hex(2)
    prefix = f"mp-{name}-"
    overlay = Overlay(
        prefix=prefix,
        run=f"hold-{name}",
        worker="hold",
        images=there.images,
        revision=label,
        domain=domain,
        values={
            **_values(prefix, domain),
            "api_server": as_range(str(service["spec"]["clusterIP"])),
        },
        namespaces=frozenset(NAMESPACES),
        fitting=fitting(settings, cluster, prior, own=own),
    )
    return Applier(cluster, overlay, ROOT / "manifests", Limits(timeout_s=START_S))


def _values(prefix: str, domain: str) -> dict[str, str]:
    """Values of the manifests that are made for each hold: its token, keys and certificates."""
    tokens = TokenIssuer()
    token = tokens.mint("valid")
    remember(token)
    names = (cluster_domain.in_domain(host, domain) for host in flows.TLS_NAMES)
    secure = certificates.issue([host.replace(GATEWAYS, prefix + GATEWAYS) for host in names])
    return {
        "flows": flows.as_json(),
        "issuer": tokens.issuer,
        "jwks": tokens.jwks_json(),
        "token": token,
        "scope": prefix,
        "roots_base64": base64.b64encode(secure.roots.encode()).decode(),
        **secure.values,
    }
