"""The front door (`CRA-…`): an ingress gateway that routes to two applications and demands a token below /api/."""

ONE_PROCESS = True
"""All modules stand on one ground: cheaper kept by one process than made by each."""
