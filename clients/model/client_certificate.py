"""A client's certificate and its private key."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClientCertificate:
    """What a client shows of itself in a TLS handshake.

    Attributes:
        identity: the URI that it names (`spiffe://cluster.local/ns/shop/sa/web`).
        pem: the certificate, and its private key: a secret.
    """

    identity: str
    pem: str = field(repr=False)
