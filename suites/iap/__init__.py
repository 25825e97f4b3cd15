"""Identity-Aware Proxy in front of the mesh (`IAP-…`): the gateway demands the token that IAP mints for it."""

ENVIRONMENT_S = 20.0
"""One more process makes a gateway and the six workloads of Bookinfo of its own (see `runner.session.schedule`)."""
