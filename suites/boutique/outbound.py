"""How a sidecar calls the frontend, by its own configuration."""

from __future__ import annotations

from typing import Any

from clients.apply.open_mesh import NAME as OPEN_MESH
from clients.proof.rig.rig import Rig

FRONTEND_CLUSTER = "outbound|80||frontend.frontend.svc.cluster.local"
Cluster = dict[str, Any]


def frontend_cluster(rig: Rig, dump: dict[str, Any]) -> Cluster | None:
    """The sidecar's cluster of the frontend's Service; None where it has none."""
    name = rig.overlay.host(FRONTEND_CLUSTER.rsplit("|", 1)[1])
    for config in dump.get("configs", ()):
        for entry in config.get("dynamic_active_clusters", ()):
            if entry["cluster"]["name"] == f"{FRONTEND_CLUSTER.rsplit('|', 1)[0]}|{name}":
                found: Cluster = entry["cluster"]
                return found
    return None


def rule_of(cluster: Cluster) -> str:
    """Path of the destination rule that it was configured by; empty where there was none.

    What the harness sets against a rule of the mesh's own states nothing (docs/your-cluster.md).
    """
    path = str(cluster.get("metadata", {}).get("filter_metadata", {}).get("istio", {}).get("config", ""))
    return "" if path.rpartition("/")[2].startswith(OPEN_MESH) else path


def mutual_tls_problem(cluster: Cluster) -> str | None:
    """Why it does not use mutual TLS with the mesh's certificates for every endpoint; None when it does."""
    if cluster.get("transport_socket_matches"):
        return "it chooses by endpoint (auto mTLS)"
    context = cluster.get("transport_socket", {}).get("typed_config", {})
    names = [
        secret.get("name")
        for secret in context.get("common_tls_context", {}).get("tls_certificate_sds_secret_configs", ())
    ]
    return None if names else "it has no TLS transport socket with a certificate of the mesh"
