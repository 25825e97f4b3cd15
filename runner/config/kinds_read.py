"""Kinds that are read where the cluster has them, by API group: for rights that are optional."""

from __future__ import annotations

from clients.model.api_groups import (
    GATEWAY_API,
    INFERENCE,
    ISTIO_EXTENSIONS,
    ISTIO_NETWORKING,
    ISTIO_SECURITY,
    ISTIO_TELEMETRY,
)

ANALYZED = {
    "": ("namespaces", "services", "pods", "configmaps", "secrets", "nodes"),
    "apps": ("deployments",),
    "admissionregistration.k8s.io": ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    ISTIO_NETWORKING: (
        "destinationrules",
        "envoyfilters",
        "gateways",
        "proxyconfigs",
        "serviceentries",
        "sidecars",
        "virtualservices",
        "workloadentries",
        "workloadgroups",
    ),
    ISTIO_SECURITY: ("authorizationpolicies", "peerauthentications", "requestauthentications"),
    ISTIO_TELEMETRY: ("telemetries",),
    ISTIO_EXTENSIONS: ("trafficextensions", "wasmplugins"),
    GATEWAY_API: ("gateways", "grpcroutes", "httproutes"),
}
"""What istioctl reads, by the API server's audit log (1.31): it waits for every list that is refused."""

PRECHECKED = {GATEWAY_API: ("backendtlspolicies",), INFERENCE: ("inferencepools",)}
"""What else the prechecks of an upgrade look at (`clients.mesh.upgrade.view`)."""

WATCHED = {"": ("namespaces", "pods"), "apps": ("deployments",), GATEWAY_API: ("gateways",)}
"""What takes a while to become ready, or to go (see `clients.kube.watch`)."""
