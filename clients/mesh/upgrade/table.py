"""The table of changes: what Istio's minors from 1.24 to 1.31 made different, each with its detector.

By the release notes of each minor (their upgrade notes, and what they call removed, promoted or enabled by default) and
the profiles of compatibility versions. A change that no object shows is not here. A new one is one entry, and one
example in `tests/unit/mesh/upgrade/`.
"""

from __future__ import annotations

from clients.kube.fields import spec_of
from clients.kube.labels import GATEWAY_NAME_LABEL, runs_dry
from clients.mesh.upgrade import touches
from clients.mesh.upgrade.change import ChangeLevel, ReleaseChange
from clients.mesh.upgrade.detectors import ambient, annotated, every, mentions, providers, text_of_configuration
from clients.mesh.upgrade.view import KUBERNETES_GATEWAY

OLDEST, NEWEST = 24, 31
"""Minors that the table covers."""

CHANGES: tuple[ReleaseChange, ...] = (
    ReleaseChange(
        "1.24-sidecar-scope", ChangeLevel.WARNING,
        "of several Services and ServiceEntries with one host, the choice is the same with and without a Sidecar now",
        "PILOT_UNIFIED_SIDECAR_SCOPE=false keeps the old choice",
        touches.same_host(needs_sidecar=True, across_namespaces=False, unless="PILOT_UNIFIED_SIDECAR_SCOPE"),
    ),
    ReleaseChange(
        "1.24-telemetry-attributes", ChangeLevel.WARNING,
        "expressions of Telemetry use Envoy's own attributes; those of the Wasm extension have other names",
        "write filter_state.downstream_peer and the like, with has() while proxies of both versions run",
        mentions("wasm.downstream_peer", "wasm.upstream_peer", "istio_responseclass",
                 keys=("Telemetry", "EnvoyFilter")),
    ),
    ReleaseChange(
        "1.24-retries", ChangeLevel.INFO,
        "requests that were answered 503 are not tried again by default, and inbound connection failures are",
        "state defaultHttpRetryPolicy in MeshConfig, or retries in the VirtualService",
        touches.without_policy_of_retries,
    ),
    ReleaseChange(
        "1.24-external-certificates", ChangeLevel.WARNING,
        "for external hosts, certificates of the DestinationRule count before those of the proxy's metadata",
        "PREFER_DESTINATIONRULE_TLS_FOR_EXTERNAL_SERVICES=false keeps the old order",
        touches.certificates_of_external_hosts,
    ),
    ReleaseChange(
        "1.24-destination-rules", ChangeLevel.WARNING,
        "DestinationRules of one host that are exported to different namespaces are not merged any more",
        "ENABLE_ENHANCED_DESTINATIONRULE_MERGE=false keeps the merge",
        touches.different_exports,
    ),
    ReleaseChange(
        "1.24-gateway-label", ChangeLevel.ERROR,
        "gateways of the Gateway API have no label istio.io/gateway-name any more: the selector matches nothing",
        f"select by {GATEWAY_NAME_LABEL}",
        every("AuthorizationPolicy", "RequestAuthentication", "PeerAuthentication", "Service", "Gateway", "EnvoyFilter",
              "Telemetry", "WasmPlugin", where=touches.selects_by_old_gateway_label),
    ),
    ReleaseChange(
        "1.24-core-dump", ChangeLevel.INFO,
        "the annotation sidecar.istio.io/enableCoreDump has no effect any more",
        "remove it",
        annotated("sidecar.istio.io/enableCoreDump"),
    ),
    ReleaseChange(
        "1.25-addresses", ChangeLevel.WARNING,
        "ServiceEntries without addresses get one from Istio, which clients see where the proxy answers DNS",
        "label them networking.istio.io/enable-autoallocate-ip=false, or PILOT_ENABLE_IP_AUTOALLOCATE=false",
        every("ServiceEntry", where=touches.gets_an_address, unless=("PILOT_ENABLE_IP_AUTOALLOCATE",)),
    ),
    ReleaseChange(
        "1.25-opencensus", ChangeLevel.ERROR,
        "Envoy has no OpenCensus any more: such traces are lost",
        "use an OpenTelemetry provider",
        providers("opencensus"),
    ),
    ReleaseChange(
        "1.25-internal-addresses", ChangeLevel.WARNING,
        "Envoy trusts no address as internal by default: gateways remove x-envoy headers of requests from inside",
        "set ENABLE_HCM_INTERNAL_NETWORKS and MeshNetworks, or do not depend on these headers",
        text_of_configuration("x-envoy-"),
    ),
    ReleaseChange(
        "1.25-ambient-dns", ChangeLevel.WARNING,
        "DNS of new pods without sidecars is proxied by default",
        "cni.ambient.dnsCapture=false, or the annotation ambient.istio.io/dns-capture=false",
        ambient(),
    ),
    ReleaseChange(
        "1.27-native-sidecars", ChangeLevel.WARNING,
        "from Kubernetes 1.33 on the proxy becomes an init container: start, end and other webhooks see another pod",
        "annotate sidecar.istio.io/nativeSidecar=false, or ENABLE_NATIVE_SIDECARS=false",
        touches.becomes_native,
    ),
    ReleaseChange(
        "1.27-lightstep", ChangeLevel.ERROR,
        "the provider Lightstep is removed: such traces are lost",
        "use an OpenTelemetry provider",
        providers("lightstep"),
    ),
    ReleaseChange(
        "1.28-inference-pools", ChangeLevel.ERROR,
        "InferencePools of v1alpha2 and of the release candidates are not read any more",
        "create them as v1",
        every("InferencePool"),
    ),
    ReleaseChange(
        "1.28-backend-tls-policies", ChangeLevel.ERROR,
        "BackendTLSPolicies are read as v1 only, and those are in force without PILOT_ENABLE_ALPHA_GATEWAY_API",
        "install the definitions of the Gateway API with v1, and check what these policies would do",
        every("BackendTLSPolicy"),
    ),
    ReleaseChange(
        "1.28-mirrored-host", ChangeLevel.INFO,
        "requests that are mirrored keep their host: -shadow is not added to it any more",
        "DISABLE_SHADOW_HOST_SUFFIX=false keeps the suffix",
        every("VirtualService", where=touches.mirrors, unless=("DISABLE_SHADOW_HOST_SUFFIX",)),
    ),
    ReleaseChange(
        "1.28-gateway-spans", ChangeLevel.INFO,
        "gateways make a span of their own for each request that they send on",
        "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY=false keeps one span, up to 1.30",
        touches.traces_at_gateways,
    ),
    ReleaseChange(
        "1.28-pass-through-entries", ChangeLevel.WARNING,
        "a ztunnel that is older than istiod rejects ServiceEntries with resolution NONE, and sends past the waypoint",
        "upgrade ztunnel at once after istiod",
        ambient("ServiceEntry", where=lambda body: spec_of(body).get("resolution", "NONE") == "NONE"),
    ),
    ReleaseChange(
        "1.29-debug-endpoints", ChangeLevel.WARNING,
        "istiod's debug endpoints answer tools outside of the root namespace for their own namespace only",
        "name its namespace in DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES, or ENABLE_DEBUG_ENDPOINT_AUTH=false",
        touches.is_a_tool_elsewhere,
    ),
    ReleaseChange(
        "1.29-stats-compression", ChangeLevel.INFO,
        "the annotation sidecar.istio.io/statsCompression has no effect any more; metrics are compressed by default",
        "set statsCompression in the annotation proxy.istio.io/config",
        annotated("sidecar.istio.io/statsCompression"),
    ),
    ReleaseChange(
        "1.29-circuit-breaker-metrics", ChangeLevel.INFO,
        "proxies do not count what remains of the limits of connections any more",
        "DISABLE_TRACK_REMAINING_CB_METRICS=false keeps the metrics",
        every("DestinationRule", where=touches.limits_connections, unless=("DISABLE_TRACK_REMAINING_CB_METRICS",)),
    ),
    ReleaseChange(
        "1.29-ambient-rules", ChangeLevel.WARNING,
        "a new istio-cni rewrites the packet rules of pods without sidecars that run already",
        "cni.ambient.reconcileIptablesOnStartup=false",
        ambient(),
    ),
    ReleaseChange(
        "1.29-dry-run", ChangeLevel.WARNING,
        "with AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY, an older ztunnel enforces policies that are to run dry",
        "set the variable only when every ztunnel is of 1.29 or newer",
        ambient("AuthorizationPolicy", where=runs_dry),
    ),
    ReleaseChange(
        "1.29-keys-of-metadata-server", ChangeLevel.ERROR,
        "istiod fetches no keys from link-local addresses or metadata servers: tokens of this issuer are refused",
        "serve the keys elsewhere, or state them as jwks",
        every("RequestAuthentication", where=touches.keys_of_metadata_server),
    ),
    ReleaseChange(
        "1.30-same-host", ChangeLevel.WARNING,
        "of a host that several namespaces state, a Service of Kubernetes comes first, then the oldest",
        "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE=false keeps the first namespace by name",
        touches.same_host(needs_sidecar=False, across_namespaces=True,
                          unless="PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE"),
    ),
    ReleaseChange(
        "1.30-retry-budget", ChangeLevel.WARNING,
        "a budget of retries without a share is 20 %, as documented, and not 0.2 %",
        "state percent",
        every("DestinationRule", where=touches.budget_without_share),
    ),
    ReleaseChange(
        "1.30-registry", ChangeLevel.WARNING,
        "the default registry is registry.istio.io: mirrors, admission rules and firewalls may know the old one only",
        "set hub",
        touches.default_registry,
    ),
    ReleaseChange(
        "1.30-tls-listeners", ChangeLevel.WARNING,
        "listeners of the protocol TLS are served without PILOT_ENABLE_ALPHA_GATEWAY_API",
        "remove listeners that are not to be served",
        every(KUBERNETES_GATEWAY, where=touches.listens_for_tls),
    ),
    ReleaseChange(
        "1.31-unhealthy-endpoints", ChangeLevel.WARNING,
        "unhealthy endpoints are sent to proxies by default, where no minHealthPercent is stated",
        "state minHealthPercent, or PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS=false",
        every("DestinationRule", where=touches.outlier, unless=("PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS",)),
    ),
    ReleaseChange(
        "1.31-gateway-merging", ChangeLevel.ERROR,
        "a Gateway of Istio is not merged any more into a gateway that the mesh deploys elsewhere: its ports close",
        "PILOT_ENABLE_STRICT_GATEWAY_MERGING=false keeps the merge",
        touches.gateway_merged_elsewhere,
    ),
    ReleaseChange(
        "1.31-registered-workloads", ChangeLevel.WARNING,
        "workloads that registered themselves before are reached without mutual TLS until they register again",
        "label them networking.istio.io/tunnel=http",
        ambient("WorkloadEntry", where=touches.unmarked_registration),
    ),
)  # fmt: skip
