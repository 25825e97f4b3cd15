"""Names of API groups that several rooms read."""

GATEWAY_API = "gateway.networking.k8s.io"
"""Of Kubernetes' Gateway API; Istio's own Gateways are of another group."""
