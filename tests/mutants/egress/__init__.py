"""Mutants of what leaves the mesh: gateway, scopes, routes, TLS to external hosts, network policies."""
