"""What stands in for the outside world in tests: an issuer of its own key, a metadata server on loopback."""
