"""Before an upgrade of the mesh: what changes between two versions, and which of a cluster's objects that touches."""
