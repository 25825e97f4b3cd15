"""Identity-Aware Proxy in front of the mesh (`IAP-…`): the gateway demands the token that IAP mints for it."""
