"""Stand-ins for the outside in tests: an issuer with its own key, a metadata server on loopback, a CI job's actions."""
