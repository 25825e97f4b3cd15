"""The security lab (`LAB-…`): mutual TLS modes, then JWT authentication and authorization, on sleep and httpbin."""
