"""Names of the traps: the security lab's clients and server, and what is deployed in addition."""

from __future__ import annotations

from clients.model.probe import Workload
from suites.lab.workloads import LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE

ENVIRONMENT = ("lab/environment", "traps/environment")

MESH, LEGACY = MTLS_CLIENT, LEGACY_CLIENT
"""With a sidecar, and without one."""
TRADER = Workload("traders", "trader", "curl")
"""With a sidecar, in a namespace that no policy names; the network lets it out."""

HTTPBIN = MTLS_SERVICE
"""Its Service's port is 8000, its container's 8080."""
LEDGER = "ledger.mtls-service:9000"
"""Plain TCP, by its Service."""
LEDGER_AUDIT = "http://ledger.mtls-service:9090"
"""A port of its pod that no Service has: for requests to the pod's own address."""
METRICS = "http://metrics.mtls-service:8000"
"""Its port stays out of its sidecar."""
