"""A server certificate for a run's gateway, from a certificate authority that exists for this run only."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import trustme

_LIFETIME = datetime.timedelta(days=2)
_CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class ServerCertificate:
    """PEM texts: the authority's certificate, the server's certificate and its private key."""

    roots: str
    certificate: str
    key: str

    @property
    def values(self) -> dict[str, str]:
        """Template values for a Secret of type `kubernetes.io/tls`."""
        return {
            "gateway_certificate_base64": base64.b64encode(self.certificate.encode()).decode(),
            "gateway_key_base64": base64.b64encode(self.key.encode()).decode(),
        }


def issue(names: Sequence[str]) -> ServerCertificate:
    """Create an authority and a certificate for these DNS names (`*.example.com` too); keys are ECDSA P-256.

    The authority's private key is not kept. The certificate is valid for two days.
    """
    authority = trustme.CA(organization_name="meshproof run")
    now = datetime.datetime.now(datetime.UTC)
    pair = authority.issue_cert(*names, common_name=names[0], not_before=now - _CLOCK_SKEW, not_after=now + _LIFETIME)
    return ServerCertificate(
        roots=authority.cert_pem.bytes().decode("ascii"),
        certificate=pair.cert_chain_pems[0].bytes().decode("ascii"),
        key=pair.private_key_pem.bytes().decode("ascii"),
    )
