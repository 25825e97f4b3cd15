"""One example for each change of the table: objects that it touches, and objects that it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.mesh.upgrade.view import KINDS, KUBERNETES_GATEWAY, Json, MeshView

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"


def body(kind: str, spec: Mapping[str, Any] | None = None, name: str = "one", namespace: str = "shop",
         labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None) -> Json:  # fmt: skip
    meta = {"name": name, "namespace": namespace, "labels": labels or {}, "annotations": annotations or {}}
    return {"kind": kind, "metadata": meta, "spec": spec or {}}


def view(
    *bodies: Json, mesh: Mapping[str, Any] | None = None, kubernetes: str = "1.34.4", **variables: str
) -> MeshView:
    objects: dict[str, tuple[Json, ...]] = {}
    for one in bodies:
        key = str(one.get("key") or one["kind"])
        assert key in KINDS
        objects[key] = (*objects.get(key, ()), one)
    return MeshView(objects, (mesh,) if mesh is not None else (), variables, kubernetes)


def kubernetes_gateway(spec: Mapping[str, Any]) -> Json:
    return {**body("Gateway", spec), "key": KUBERNETES_GATEWAY}


def entry(name: str = "one", namespace: str = "shop", host: str = "a.test", **spec: Any) -> Json:
    return body("ServiceEntry", {"hosts": [host], **spec}, name, namespace)


def rule(policy: Mapping[str, Any] | None = None, name: str = "one", **spec: Any) -> Json:
    return body("DestinationRule", {"host": "a.test", "trafficPolicy": policy or {}, **spec}, name)


def anywhere(policy: Mapping[str, Any]) -> tuple[Json, ...]:
    """DestinationRules with a setting in each place that may have it."""
    by_port = {"portLevelSettings": [{"port": {"number": 443}, **policy}]}
    subset = {"subsets": [{"name": "v1", "trafficPolicy": policy}, {"name": "v2"}]}
    subset_port = {"subsets": [{"name": "v1", "trafficPolicy": by_port}]}
    return rule(policy), rule(by_port, "two"), rule(None, "three", **subset), rule(None, "four", **subset_port)


ANYWHERE = tuple(f"DestinationRule shop/{name}" for name in ("one", "two", "three", "four"))


def pod(image: str = "reg/proxyv2:1.29.1", native: bool = False, **more: Any) -> Json:
    proxy = [{"name": "istio-proxy", "image": image}]
    annotations = {"sidecar.istio.io/status": "{}", **more.pop("annotations", {})}
    return body("Pod", {"initContainers": proxy} if native else {"containers": proxy}, annotations=annotations, **more)


AMBIENT = body("Namespace", name="quiet", namespace="", labels={"istio.io/dataplane-mode": "ambient"})
SIDECAR = body("Sidecar")
SERVICE = body("Service", name="b", namespace="shop")
TELEMETRY = body("Telemetry", {"tracing": [{"providers": [{"name": "x"}]}]})


@dataclass(frozen=True)
class Example:
    """Views of a mesh.

    Attributes:
        touched: one that the change touches.
        objects: their names.
        others: some that it does not, each with what is different.
    """

    touched: MeshView
    objects: tuple[str, ...]
    others: Sequence[MeshView] = field(default_factory=tuple)


def _wasm(text: str) -> Json:
    return body("Telemetry", {"accessLogging": [{"filter": {"expression": text}}]})


EXAMPLES: dict[str, Example] = {
    "1.24-sidecar-scope": Example(
        view(SIDECAR, SERVICE, entry(host="b.shop.svc.cluster.local")),
        ("ServiceEntry shop/one", "Service shop/b"),
        [view(SERVICE, entry(host="b.shop.svc.cluster.local")), view(SIDECAR, SERVICE, entry()),
         view(SIDECAR, entry("x"), entry("y"), PILOT_UNIFIED_SIDECAR_SCOPE="false")],
    ),
    "1.24-telemetry-attributes": Example(
        view(_wasm("filter_state['wasm.downstream_peer'].namespace == 'x'")), ("Telemetry shop/one",),
        [view(_wasm("filter_state.downstream_peer.namespace == 'x'"))],
    ),
    "1.24-retries": Example(
        view(mesh={"accessLogFile": ""}), ("MeshConfig defaultHttpRetryPolicy",),
        [view(mesh={"defaultHttpRetryPolicy": {"attempts": 0}}), view()],
    ),
    "1.24-external-certificates": Example(
        view(entry(), *anywhere({"tls": {"mode": "SIMPLE", "caCertificates": "/x"}})), ANYWHERE,
        [view(entry(location="MESH_INTERNAL"), rule({"tls": {"caCertificates": "/x"}})),
         view(entry(), rule({"tls": {"mode": "SIMPLE"}})), view(rule({"tls": {"caCertificates": "/x"}}))],
    ),
    "1.24-destination-rules": Example(
        view(rule(), rule(name="two", exportTo=["."])), ("DestinationRule shop/one", "DestinationRule shop/two"),
        [view(rule(), rule(name="two")), view(rule(), rule(name="two", exportTo=["*"])),
         view(rule(), rule(name="two", exportTo=["."]), ENABLE_ENHANCED_DESTINATIONRULE_MERGE="false"),
         view(rule(), body("DestinationRule", {"host": "a.test", "exportTo": ["."]}, namespace="store"))],
    ),
    "1.24-gateway-label": Example(
        view(body("AuthorizationPolicy", {"selector": {"matchLabels": {"istio.io/gateway-name": "x"}}}),
             body("Service", {"selector": {"istio.io/gateway-name": "x"}}),
             body("Gateway", {"selector": {"istio.io/gateway-name": "x"}}),
             body("EnvoyFilter", {"workloadSelector": {"labels": {"istio.io/gateway-name": "x"}}}),
             body("WasmPlugin", {"selector": {"matchLabels": {"istio.io/gateway-name": "x"}}})),
        ("AuthorizationPolicy shop/one", "Service shop/one", "Gateway shop/one", "EnvoyFilter shop/one",
         "WasmPlugin shop/one"),
        [view(body("AuthorizationPolicy", {"selector": {"matchLabels": {GATEWAY_NAME: "x"}}}), body("Service"))],
    ),
    "1.24-core-dump": Example(
        view(pod(annotations={"sidecar.istio.io/enableCoreDump": "true"})), ("Pod shop/one",), [view(pod())]
    ),
    "1.25-addresses": Example(
        view(entry(resolution="DNS")), ("ServiceEntry shop/one",),
        [view(entry(resolution="NONE")), view(entry(host="*.a.test")), view(entry(addresses=["240.0.0.1"])),
         view(entry(), PILOT_ENABLE_IP_AUTOALLOCATE="false"),
         view(body("ServiceEntry", {"hosts": ["a"]}, labels={"networking.istio.io/enable-autoallocate-ip": "false"}))],
    ),
    "1.25-opencensus": Example(
        view(mesh={"extensionProviders": [{"name": "oc", "opencensus": {}}],
                   "defaultConfig": {"tracing": {"openCensusAgent": {}}}}),
        ("MeshConfig extensionProviders[oc]", "MeshConfig defaultConfig.tracing.opencensus"),
        [view(mesh={"extensionProviders": [{"name": "oc", "opentelemetry": {}}]}), view(mesh={})],
    ),
    "1.25-internal-addresses": Example(
        view(body("VirtualService", {"http": [{"match": [{"headers": {"X-Envoy-Internal": {"exact": "true"}}}]}]})),
        ("VirtualService shop/one",),
        [view(body("VirtualService", {"http": [{"match": [{"headers": {"x-own": {"exact": "true"}}}]}]}))],
    ),
    "1.25-ambient-dns": Example(view(AMBIENT), ("Namespace quiet",), [view(body("Namespace", name="loud"))]),
    "1.27-native-sidecars": Example(
        view(pod()), ("Pod shop/one",),
        [view(pod(native=True)), view(pod(annotations={"sidecar.istio.io/nativeSidecar": "false"})),
         view(pod(), kubernetes="1.32.9"), view(pod(), kubernetes="1.x"),
         view(pod(), ENABLE_NATIVE_SIDECARS="false"), view(body("Pod"))],
    ),
    "1.27-lightstep": Example(
        view(mesh={"extensionProviders": [{"name": "ls", "lightstep": {}}]}), ("MeshConfig extensionProviders[ls]",),
        [view(mesh={"extensionProviders": [{"name": "zk", "zipkin": {}}]})],
    ),
    "1.28-inference-pools": Example(view(body("InferencePool")), ("InferencePool shop/one",), [view()]),
    "1.28-backend-tls-policies": Example(view(body("BackendTLSPolicy")), ("BackendTLSPolicy shop/one",), [view()]),
    "1.28-mirrored-host": Example(
        view(body("VirtualService", {"http": [{"mirror": {"host": "b"}}]})), ("VirtualService shop/one",),
        [view(body("VirtualService", {"http": [{}]})),
         view(body("VirtualService", {"http": [{"mirror": {"host": "b"}}]}), DISABLE_SHADOW_HOST_SUFFIX="false")],
    ),
    "1.28-gateway-spans": Example(
        view(TELEMETRY, body("Gateway")), ("Telemetry shop/one",),
        [view(TELEMETRY), view(body("Telemetry"), body("Gateway")),
         view(TELEMETRY, body("Gateway"), PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY="false")],
    ),
    "1.28-pass-through-entries": Example(
        view(AMBIENT, entry(resolution="NONE")), ("ServiceEntry shop/one",),
        [view(AMBIENT, entry(resolution="DNS")), view(entry(resolution="NONE"))],
    ),
    "1.29-debug-endpoints": Example(
        view(body("Pod", namespace="tools", labels={"app.kubernetes.io/name": "kiali"})), ("Pod tools/one",),
        [view(body("Pod", namespace="istio-system", labels={"app.kubernetes.io/name": "kiali"})),
         view(body("Pod", namespace="tools", labels={"app": "kiali"}),
              DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES="other, tools"),
         view(body("Pod", namespace="tools", labels={"app": "kiali"}), ENABLE_DEBUG_ENDPOINT_AUTH="false"),
         view(body("Pod", namespace="tools", labels={"app": "shop"}))],
    ),
    "1.29-stats-compression": Example(
        view(pod(annotations={"sidecar.istio.io/statsCompression": "false"})), ("Pod shop/one",), [view(pod())]
    ),
    "1.29-circuit-breaker-metrics": Example(
        view(*anywhere({"connectionPool": {"tcp": {"maxConnections": 1}}})), ANYWHERE,
        [view(rule()), view(rule({"connectionPool": {"tcp": {}}}), DISABLE_TRACK_REMAINING_CB_METRICS="false")],
    ),
    "1.29-ambient-rules": Example(view(AMBIENT), ("Namespace quiet",), [view(pod())]),
    "1.29-dry-run": Example(
        view(AMBIENT, body("AuthorizationPolicy", annotations={"istio.io/dry-run": "true"})),
        ("AuthorizationPolicy shop/one",),
        [view(body("AuthorizationPolicy", annotations={"istio.io/dry-run": "true"})),
         view(AMBIENT, body("AuthorizationPolicy"))],
    ),
    "1.29-keys-of-metadata-server": Example(
        view(body("RequestAuthentication", {"jwtRules": [{"jwksUri": "http://169.254.169.254/keys"}]}),
             body("RequestAuthentication", {"jwtRules": [{"issuer": "http://metadata.google.internal"}]}, "two")),
        ("RequestAuthentication shop/one", "RequestAuthentication shop/two"),
        [view(body("RequestAuthentication", {"jwtRules": [{"jwksUri": "https://a.test/169.254"}, {"jwks": "{}"}]})),
         view(body("RequestAuthentication", {"jwtRules": [{"issuer": "http://169.254.1.1", "jwks": "{}"}]})),
         view(body("RequestAuthentication", {"jwtRules": [{"issuer": "http://169.254.1.1", "jwksUri": "https://b"}]}))],
    ),
    "1.30-same-host": Example(
        view(entry("x"), entry("y", "store")), ("ServiceEntry shop/x", "ServiceEntry store/y"),
        [view(entry("x"), entry("y")), view(entry("x"), entry("y", "store", host="b.test")),
         view(entry("x"), entry("y", "store"), PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE="false")],
    ),
    "1.30-retry-budget": Example(
        view(*anywhere({"retryBudget": {"minRetryConcurrency": 3}})[::2]), ANYWHERE[::2],  # a port has none
        [view(rule({"retryBudget": {"percent": {"value": 20}}})), view(rule())],
    ),
    "1.30-registry": Example(
        view(pod("docker.io/istio/proxyv2:1.29.1"), pod("istio/proxyv2:1.29.1", native=True, name="two")),
        ("Pod shop/one", "Pod shop/two"),
        [view(pod("reg.bank.test/istio/proxyv2:1.29.1")), view(pod("registry.istio.io/release/proxyv2:1.29.1"))],
    ),
    "1.30-tls-listeners": Example(
        view(kubernetes_gateway({"listeners": [{"protocol": "TLS"}]})), ("Gateway shop/one",),
        [view(kubernetes_gateway({"listeners": [{"protocol": "HTTPS"}]})), view(body("Gateway", {"servers": []}))],
    ),
    "1.31-unhealthy-endpoints": Example(
        view(*anywhere({"outlierDetection": {"consecutive5xxErrors": 1}})), ANYWHERE,
        [view(rule({"outlierDetection": {"minHealthPercent": 50}})), view(rule()),
         view(rule({"outlierDetection": {}}), PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS="false")],
    ),
    "1.31-gateway-merging": Example(
        view(body("Gateway", {"selector": {GATEWAY_NAME: "door"}}), pod(namespace="d", labels={GATEWAY_NAME: "door"})),
        ("Gateway shop/one",),
        [view(body("Gateway", {"selector": {GATEWAY_NAME: "door"}}), pod(labels={GATEWAY_NAME: "door"})),
         view(body("Gateway", {"selector": {"istio": "x"}}), pod(namespace="doors", labels={"istio": "x"})),
         view(body("Gateway", {"selector": {GATEWAY_NAME: "door"}}), pod(namespace="d", labels={GATEWAY_NAME: "door"}),
              PILOT_ENABLE_STRICT_GATEWAY_MERGING="false")],
    ),
    "1.31-registered-workloads": Example(
        view(AMBIENT, body("WorkloadEntry", annotations={"istio.io/autoRegistrationGroup": "vms"})),
        ("WorkloadEntry shop/one",),
        [view(AMBIENT, body("WorkloadEntry")),
         view(body("WorkloadEntry", annotations={"istio.io/autoRegistrationGroup": "vms"})),
         view(AMBIENT, body("WorkloadEntry", annotations={"istio.io/autoRegistrationGroup": "vms"},
                            labels={"networking.istio.io/tunnel": "http"}))],
    ),
}  # fmt: skip
