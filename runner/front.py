"""What the manifests of the front door are filled with."""

from __future__ import annotations

from clients.claims import FRONT_ISSUER, IAP_ISSUER, PROJECT, RCTOKEN_AUDIENCE
from clients.tokens import TokenIssuer

HOSTS = ("shop.example.com", "*.example.com", "example.com")
"""Names in the gateway's certificate: those that suites call it by."""


def values(tokens: TokenIssuer) -> dict[str, str]:
    """Template values: issuers, audiences, and key sets as they are before, during and after a rotation."""
    return {
        "front_issuer": FRONT_ISSUER,
        "front_audience": PROJECT,
        "iap_issuer": IAP_ISSUER,
        "rctoken_aud": RCTOKEN_AUDIENCE,
        "jwks_both": tokens.jwks_json("trusted", "next"),
        "jwks_next": tokens.jwks_json("next"),
    }
