"""Mutants of who a peer or a request is: mutual TLS, injection, certificates, trust, tokens."""
