"""Detectors of which objects a change of Istio touches: one function for one change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from clients.kube.fields import annotations_of, kind_and_name, labels_of, spec_of
from clients.kube.labels import GATEWAY_NAME_LABEL
from clients.kube.pods import SIDECAR
from clients.mesh.destination_rules import settings, tls_settings
from clients.mesh.upgrade.change import Detector
from clients.mesh.upgrade.detectors import is_kept
from clients.mesh.upgrade.view import KUBERNETES_GATEWAY, Json, MeshView
from clients.model.cluster_domain import service_of


def same_host(*, needs_sidecar: bool, across_namespaces: bool, unless: str) -> Detector:
    """Services and ServiceEntries that state a host which another one states too.

    Args:
        needs_sidecar: only where some Sidecar object exists.
        across_namespaces: only where they are in different namespaces.
        unless: variable of istiod that keeps the old behaviour when it is set to `false`.
    """

    def touches(view: MeshView) -> Iterator[str]:
        if is_kept(view, (unless,)) or (needs_sidecar and not view.of("Sidecar")):
            return
        found: dict[str, list[Json]] = defaultdict(list)
        for body in view.of("ServiceEntry"):
            for host in spec_of(body).get("hosts") or ():
                found[str(host)].append(body)
        named_so = {service: host for host in found if (service := service_of(host))}
        for body in view.of("Service"):
            meta = body["metadata"]
            if host := named_so.get(f"{meta['name']}.{meta['namespace']}"):
                found[host].append(body)
        for bodies in found.values():
            spread = {body["metadata"]["namespace"] for body in bodies}
            if len(bodies) > 1 and (len(spread) > 1 or not across_namespaces):
                yield from map(kind_and_name, bodies)

    return touches


def different_exports(view: MeshView) -> Iterator[str]:
    """DestinationRules of one host and one namespace, which are merged, that are exported to different namespaces."""
    found: dict[tuple[str, str], list[Json]] = defaultdict(list)
    if is_kept(view, ("ENABLE_ENHANCED_DESTINATIONRULE_MERGE",)):
        return
    for body in view.of("DestinationRule"):
        host, namespace = str(spec_of(body).get("host")), body["metadata"]["namespace"]
        found[namespace, service_of(host) or (host if "." in host else f"{host}.{namespace}")].append(body)
    for bodies in found.values():
        if len({tuple(sorted(spec_of(body).get("exportTo") or ["*"])) for body in bodies}) > 1:
            yield from map(kind_and_name, bodies)


def certificates_of_external_hosts(view: MeshView) -> Iterator[str]:
    """DestinationRules with certificates for a host outside of the mesh."""
    if is_kept(view, ("PREFER_DESTINATIONRULE_TLS_FOR_EXTERNAL_SERVICES",)):
        return
    outside = {
        str(host)
        for body in view.of("ServiceEntry")
        if spec_of(body).get("location", "MESH_EXTERNAL") == "MESH_EXTERNAL"
        for host in spec_of(body).get("hosts") or ()
    }
    for body in view.of("DestinationRule"):
        stated = any(tls.get("caCertificates") or tls.get("clientCertificate") for tls in tls_settings(body))
        if stated and spec_of(body).get("host") in outside:
            yield kind_and_name(body)


def without_policy_of_retries(view: MeshView) -> Iterator[str]:
    """The default of the mesh, where MeshConfig states no policy of its own."""
    if view.configurations and not any("defaultHttpRetryPolicy" in mesh for mesh in view.configurations):
        yield "MeshConfig defaultHttpRetryPolicy"


def selects_by_old_gateway_label(body: Json) -> bool:
    """Whether a selector names the label that Istio's gateways had before that of the Gateway API."""
    stated = (spec_of(body).get("selector"), spec_of(body).get("workloadSelector"))
    selectors = [part for one in stated if one for part in (one, one.get("matchLabels"), one.get("labels"))]
    return any("istio.io/gateway-name" in one for one in selectors if one)


def gets_an_address(body: Json) -> bool:
    """Whether a ServiceEntry gets an address from Istio (its documentation, "DNS Proxying")."""
    spec, labels = spec_of(body), labels_of(body)
    enabled = labels.get("networking.istio.io/enable-autoallocate-ip", "").lower() != "false"
    by_name = any(not str(host).startswith("*") for host in spec.get("hosts") or ())
    return bool(enabled and by_name and not spec.get("addresses") and spec.get("resolution") != "NONE")


def becomes_native(view: MeshView) -> Iterator[str]:
    """Injected pods whose proxy is an ordinary container, where nothing states that it is to stay one.

    The default depends on the nodes: from Kubernetes 1.33 on, where native sidecars are stable (DetectNativeSidecar).
    """
    minor = view.kubernetes.split(".")[1].rstrip("+") if view.kubernetes.count(".") else ""
    if "ENABLE_NATIVE_SIDECARS" in view.variables or not minor.isdecimal() or int(minor) < 33:
        return
    for body in view.sidecars:
        ordinary = any(one["name"] == SIDECAR for one in spec_of(body).get("containers") or ())
        if ordinary and "sidecar.istio.io/nativeSidecar" not in annotations_of(body):
            yield kind_and_name(body)


def is_a_tool_elsewhere(view: MeshView) -> Iterator[str]:
    """Pods of Kiali, which asks istiod for its state, outside of the root namespace."""
    if is_kept(view, ("ENABLE_DEBUG_ENDPOINT_AUTH",)):
        return
    stated = view.variables.get("DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES", "").split(",")
    allowed = {one.strip() for one in stated}
    for body in view.of("Pod"):
        name = labels_of(body).get("app.kubernetes.io/name") or labels_of(body).get("app")
        if name == "kiali" and body["metadata"]["namespace"] not in (view.root, *allowed):
            yield kind_and_name(body)


def gateway_merged_elsewhere(view: MeshView) -> Iterator[str]:
    """Gateways of Istio that select the pods which the mesh deploys for a Gateway of Kubernetes elsewhere."""
    if is_kept(view, ("PILOT_ENABLE_STRICT_GATEWAY_MERGING",)):
        return
    managed = [body for body in view.of("Pod") if GATEWAY_NAME_LABEL in labels_of(body)]
    for body in view.of("Gateway"):
        wanted: Mapping[str, str] = spec_of(body).get("selector") or {}
        here = body["metadata"]["namespace"]
        if wanted and any(
            wanted.items() <= labels_of(pod).items() and pod["metadata"]["namespace"] != here for pod in managed
        ):
            yield kind_and_name(body)


def default_registry(view: MeshView) -> Iterator[str]:
    """Pods whose images come from the registry that was the default of Istio's charts."""
    for body in view.of("Pod"):
        spec = spec_of(body)  # native sidecars are init containers
        images = [str(one.get("image")) for part in ("containers", "initContainers") for one in spec.get(part) or ()]
        if any(image.removeprefix("docker.io/").startswith("istio/") for image in images):
            yield kind_and_name(body)


def listens_for_tls(body: Json) -> bool:
    """Whether a Gateway of Kubernetes has a listener that passes TLS through."""
    return any(one.get("protocol") == "TLS" for one in spec_of(body).get("listeners") or ())


def traces_at_gateways(view: MeshView) -> Iterator[str]:
    """Telemetry with tracing, where there are gateways."""
    if view.of("Gateway", KUBERNETES_GATEWAY) and not is_kept(view, ("PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY",)):
        yield from (kind_and_name(body) for body in view.of("Telemetry") if spec_of(body).get("tracing"))


def outlier(body: Json) -> bool:
    """Whether a DestinationRule ejects hosts without stating how many must stay healthy."""
    found = (one.get("outlierDetection") for one in settings(body))
    return any(one is not None and not one.get("minHealthPercent") for one in found)


def limits_connections(body: Json) -> bool:
    """Whether a DestinationRule limits connections or requests."""
    return any(one.get("connectionPool") for one in settings(body))


def mirrors(body: Json) -> bool:
    """Whether a VirtualService mirrors requests."""
    return any(route.get("mirror") or route.get("mirrors") for route in spec_of(body).get("http") or ())


def budget_without_share(body: Json) -> bool:
    """Whether a DestinationRule has a budget of retries that states no share."""
    budgets = (one.get("retryBudget") for one in settings(body))
    return any(one is not None and "percent" not in one for one in budgets)


def keys_of_metadata_server(body: Json) -> bool:
    """Whether a RequestAuthentication fetches keys from a link-local address, or from the metadata server."""
    rules = spec_of(body).get("jwtRules") or ()
    stated = (rule.get("jwksUri") or ("" if rule.get("jwks") else rule.get("issuer")) for rule in rules)
    uris = [str(one or "") for one in stated]  # without one, the issuer says where its keys are
    return any(part in uri for uri in uris for part in ("//169.254.", "//[fe80:", "//metadata.google.internal"))


def unmarked_registration(body: Json) -> bool:
    """Whether a WorkloadEntry was registered by itself, and does not state that it takes the tunnel."""
    own = "istio.io/autoRegistrationGroup" in annotations_of(body)
    return own and labels_of(body).get("networking.istio.io/tunnel") != "http"
