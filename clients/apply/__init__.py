"""Manifests to cluster: reading, adapting, server-side apply, environments."""
