"""Online Boutique (`BTQ-…`): mutual TLS by namespace, by workload and for the whole mesh, on eleven services."""

ONE_PROCESS = True
"""All modules stand on one ground of eighteen pods: cheaper kept by one process than made by each."""

DURATIONS_S = {".": 75.0}
"""Seconds that all of them were seen to take (see `runner.session.schedule`)."""
