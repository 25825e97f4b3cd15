"""Objects of the shop in the cluster, listed as an operator would, and counted in the shop's own namespaces only.

A list of the whole mesh also holds what other topics and processes of the run made, and on a user's cluster what its
users have: none of that says anything about the shop.
"""

from __future__ import annotations

from typing import Any

from clients.apply.open_mesh import NAME as OPEN_MESH
from clients.apply.overlay import MESH_NAMESPACE
from clients.kube.labels import RUN_LABEL, WORKER_LABEL
from clients.model.errors import InfrastructureError
from clients.model.service_type import NO_ADDRESS
from clients.proof.rig.rig import Rig
from suites.boutique.workloads import GATEWAY, GATEWAY_NAMESPACE, NAMESPACES, SERVICES

SECURITY, NETWORKING = "security.istio.io/v1", "networking.istio.io/v1"
SERVICE_ENTRIES = ("allow-egress-googleapis", "allow-egress-google-metadata")


def policies(rig: Rig) -> dict[tuple[str, str], str]:
    """(namespace by the document, name) → mode of every PeerAuthentication that is about the shop.

    That is every one in a namespace of the shop, by whatever hand, and what this process itself has in the root
    namespace of the mesh; without what the harness sets against the mesh's own (docs/your-cluster.md).
    """
    found = rig.cluster.objects(SECURITY, "PeerAuthentication")
    shop = _namespaces(rig)
    return {
        (shop.get(item["metadata"]["namespace"], MESH_NAMESPACE), item["metadata"]["name"]): _mode(item["spec"])
        for item in found
        if item["metadata"]["name"] != OPEN_MESH
        and (item["metadata"]["namespace"] in shop or _is_mesh_wide_of_ours(rig, item["metadata"]))
    }


def policies_problem(rig: Rig, wanted: dict[tuple[str, str], str]) -> str | None:
    """How the list of policies differs from the one wanted; None when it does not."""
    found = policies(rig)
    if found == wanted:
        return None
    missing = sorted(name for name in wanted if found.get(name) != wanted[name])
    surplus = sorted(name for name in found if name not in wanted)
    return f"{len(found)} listed; missing or of another mode: {missing}; too many: {surplus}"


def rules_of_frontend(rig: Rig) -> list[str]:
    """Names of the destination rules in its namespace, without what the harness sets against the mesh's own."""
    found = rig.cluster.objects(NETWORKING, "DestinationRule", rig.overlay.namespace("frontend"))
    names = [str(item["metadata"]["name"]) for item in found]
    return [name for name in names if not name.startswith(OPEN_MESH)]


def namespaces_problem(rig: Rig) -> str | None:
    """Which of the eleven namespaces is not Active, the first found."""
    for name in SERVICES:
        found = rig.cluster.get("v1", "Namespace", rig.overlay.namespace(name))
        phase = found["status"]["phase"] if found else "missing"
        if phase != "Active":
            return f"namespace {name} is {phase}"
    return None


def namespaces_left(rig: Rig) -> str | None:
    """Which of the eleven namespaces are still there."""
    left = [name for name in SERVICES if rig.cluster.get("v1", "Namespace", rig.overlay.namespace(name))]
    return f"still there: {', '.join(left)}" if left else None


def entries(rig: Rig) -> set[str]:
    """Names of the shop's service entries that are in its namespaces."""
    shop = _namespaces(rig)
    found = rig.cluster.objects(NETWORKING, "ServiceEntry")
    return {item["metadata"]["name"] for item in found if item["metadata"]["namespace"] in shop} & set(SERVICE_ENTRIES)


def addresses_problem(rig: Rig) -> str | None:
    """What is wrong with the types and addresses of the three Services, the first found."""
    wanted = (
        ("frontend", "frontend-external", "LoadBalancer"),
        (GATEWAY_NAMESPACE, GATEWAY, "LoadBalancer"),
        ("frontend", "frontend", "ClusterIP"),
    )
    for namespace, name, kind in wanted:
        service = rig.cluster.get("v1", "Service", name, rig.overlay.namespace(namespace))
        if service is None:
            return f"no service {name} in {namespace}"
        outer = service.get("status", {}).get("loadBalancer", {}).get("ingress")
        if kind == service["spec"]["type"] == "LoadBalancer" and not outer:
            raise InfrastructureError(f"service {name} in {namespace} has no external address", NO_ADDRESS)
        if service["spec"]["type"] != kind or bool(outer) != (kind == "LoadBalancer"):
            return f"service {name} is of type {service['spec']['type']} with external address {outer or 'none'}"
    return None


def _mode(spec: dict[str, Any]) -> str:
    """UNSET where the policy sets no mode, or modes of ports only."""
    return str(spec.get("mtls", {}).get("mode", "UNSET"))


def _namespaces(rig: Rig) -> dict[str, str]:
    """The shop's namespaces of this process: name on the cluster → name by the document."""
    return {rig.overlay.namespace(name): name for name in NAMESPACES}


def _is_mesh_wide_of_ours(rig: Rig, metadata: dict[str, Any]) -> bool:
    """Whether this very process put it into the root namespace; another one may be about its own mesh-wide stage."""
    labels = metadata.get("labels", {})
    mine = (labels.get(RUN_LABEL), labels.get(WORKER_LABEL)) == (rig.overlay.run, rig.overlay.worker)
    return metadata["namespace"] == MESH_NAMESPACE and mine
