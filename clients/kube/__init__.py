"""The Kubernetes API: connection, objects, exec, pods, leases, clean-up."""
