"""Objects of the shop, as the cluster lists them."""

from __future__ import annotations

from typing import Any

from clients.kube.labels import RUN_LABEL
from clients.proof.world import World
from suites.boutique.workloads import GATEWAY, GATEWAY_NAMESPACE, SERVICES

SECURITY, NETWORKING = "security.istio.io/v1", "networking.istio.io/v1"
SERVICE_ENTRIES = ("allow-egress-googleapis", "allow-egress-google-metadata")


def policies(world: World) -> dict[tuple[str, str], str]:
    """(namespace by the document, name) → mode of every PeerAuthentication of this run, in all namespaces."""
    label = f"{RUN_LABEL}={world.overlay.run}"
    found = world.cluster.objects(SECURITY, "PeerAuthentication", labels=label)
    return {
        (_document(world, item["metadata"]["namespace"]), item["metadata"]["name"]): _mode(item["spec"])
        for item in found
    }


def policies_problem(world: World, wanted: dict[tuple[str, str], str]) -> str | None:
    """How the list of policies differs from the one wanted; None when it does not."""
    found = policies(world)
    if found == wanted:
        return None
    missing = sorted(name for name in wanted if found.get(name) != wanted[name])
    surplus = sorted(name for name in found if name not in wanted)
    return f"{len(found)} listed; missing or of another mode: {missing}; too many: {surplus}"


def namespaces_problem(world: World) -> str | None:
    """Which of the eleven namespaces is not Active, the first found."""
    for name in SERVICES:
        found = world.cluster.get("v1", "Namespace", world.overlay.namespace(name))
        phase = found["status"]["phase"] if found else "missing"
        if phase != "Active":
            return f"namespace {name} is {phase}"
    return None


def namespaces_left(world: World) -> str | None:
    """Which of the eleven namespaces are still there."""
    left = [name for name in SERVICES if world.cluster.get("v1", "Namespace", world.overlay.namespace(name))]
    return f"still there: {', '.join(left)}" if left else None


def entries(world: World) -> set[str]:
    """Names of the run's service entries in all namespaces."""
    found = world.cluster.objects(NETWORKING, "ServiceEntry", labels=f"{RUN_LABEL}={world.overlay.run}")
    return {item["metadata"]["name"] for item in found} & set(SERVICE_ENTRIES)


def addresses_problem(world: World) -> str | None:
    """What is wrong with the types and addresses of the three Services, the first found."""
    wanted = (
        ("frontend", "frontend-external", "LoadBalancer"),
        (GATEWAY_NAMESPACE, GATEWAY, "LoadBalancer"),
        ("frontend", "frontend", "ClusterIP"),
    )
    for namespace, name, kind in wanted:
        service = world.cluster.get("v1", "Service", name, world.overlay.namespace(namespace))
        if service is None:
            return f"no service {name} in {namespace}"
        outer = service.get("status", {}).get("loadBalancer", {}).get("ingress")
        if service["spec"]["type"] != kind or bool(outer) != (kind == "LoadBalancer"):
            return f"service {name} is of type {service['spec']['type']} with external address {outer or 'none'}"
    return None


def _mode(spec: dict[str, Any]) -> str:
    """UNSET where the policy sets no mode, or modes of ports only."""
    return str(spec.get("mtls", {}).get("mode", "UNSET"))


def _document(world: World, namespace: str) -> str:
    return namespace.removeprefix(world.overlay.prefix)
