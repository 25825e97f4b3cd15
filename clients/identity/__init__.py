"""Tokens, keys, issuers, certificates, sign-in."""
