"""Types of a Service (Kubernetes, Service, `spec.type`)."""

from __future__ import annotations

LOAD_BALANCER, NODE_PORT, CLUSTER_IP = "LoadBalancer", "NodePort", "ClusterIP"
NO_ADDRESS = "see the events of the Service: quotas, policies of the cloud, or a controller that is not there"
"""Hint where a load balancer has no address."""
