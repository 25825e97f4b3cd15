"""Names of API groups that several rooms read, and the versions in which Istio's kinds are read and written."""

GATEWAY_API = "gateway.networking.k8s.io"
"""Of Kubernetes' Gateway API; Istio's own Gateways are of another group."""
ISTIO_SECURITY = "security.istio.io"
ISTIO_NETWORKING = "networking.istio.io"
ISTIO_TELEMETRY = "telemetry.istio.io"
ISTIO_EXTENSIONS = "extensions.istio.io"

SECURITY_V1 = f"{ISTIO_SECURITY}/v1"
"""PeerAuthentication, RequestAuthentication, AuthorizationPolicy. An older cluster gets what it serves
(`clients.kube.kinds`)."""
NETWORKING_V1 = f"{ISTIO_NETWORKING}/v1"
"""Gateway, VirtualService, DestinationRule, ServiceEntry, Sidecar, WorkloadEntry."""
ENVOY_FILTER_VERSION = f"{ISTIO_NETWORKING}/v1alpha3"
"""The only one that EnvoyFilter has."""
TELEMETRY_V1 = f"{ISTIO_TELEMETRY}/v1"
WASM_PLUGIN_VERSION = f"{ISTIO_EXTENSIONS}/v1alpha1"
"""The only one that WasmPlugin has."""
