"""What the manifests of the front door are filled with."""

from __future__ import annotations

from clients.identity.claims import ACCESS_LEVEL
from clients.identity.tokens import TokenIssuer

HOSTS = ("shop.example.com", "*.example.com", "example.com")
"""Names in the gateway's certificate: those that suites call it by."""


def values(tokens: TokenIssuer, own_address: str, provider: str = "", gateway_class: str = "") -> dict[str, str]:
    """Template values: issuers, audiences, and key sets as they are before, during and after a rotation.

    Args:
        own_address: of this machine, as the cluster sees it.
        provider: of external authorization, by the name that the mesh's configuration has for it.
        gateway_class: of Kubernetes' Gateway API.
    """
    return {
        "front_issuer": tokens.issuer_of("front"),
        "front_audience": tokens.audience_of("front"),
        "iap_issuer": tokens.issuer_of("iap"),
        "rctoken_aud": tokens.audience_of("iap"),
        "access_level": ACCESS_LEVEL,
        "jwks_both": tokens.jwks_json("trusted", "next"),
        "jwks_next": tokens.jwks_json("next"),
        "outside_address": own_address,
        "ext_authz_provider": provider,
        "gateway_class": gateway_class,
    }
