"""Where mutants are tried: suites, and the namespaces of their environments that the controls need."""

from __future__ import annotations

from tests.mutants.entry import Place

LAB = "suites/lab"
BUDGET = ("--budget", "4")
"""Seconds for a case to converge: a case that fails takes all of them."""

TOKENS = Place(LAB, ("mtls-client", "mtls-service"), BUDGET)
"""JWT and authorization: one client, one server."""
COUNTED = Place(LAB, ("mtls-client", "legacy-client", "mtls-service"), BUDGET)
MESH = Place(LAB, ("mtls-client", "legacy-client", "mtls-service", "legacy-service"), BUDGET)
"""Two clients and two servers, of each one with a sidecar."""
STRICT = Place(LAB, ("mtls-client", "legacy-client", "mtls-service", "strict-mtls-service"), BUDGET)
DETECTED = Place(LAB, ("mtls-client", "mtls-client-of-mtls-client", "legacy-client", "detected-service"), BUDGET)
"""A server whose ports do not name their protocol."""
EGRESS = Place("suites/egress", (), ("--budget", "8"))
FRONT = Place("suites/front", (), BUDGET)
IAP = Place("suites/iap", (), BUDGET)
BOUTIQUE = Place("suites/boutique", (), ("--budget", "12"))
"""Eleven cells of a table take turns at one client."""
TRAPS = Place("suites/traps", (), BUDGET)
