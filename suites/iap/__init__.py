"""Identity-Aware Proxy in front of the mesh (`IAP-…`): the gateway demands the token that IAP mints for it."""

ONE_PROCESS = True
"""All modules stand on one ground: cheaper kept by one process than made by each."""
