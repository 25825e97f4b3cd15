"""Keys and certificates of one cluster: new at every start, never kept."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

_LIFETIME = datetime.timedelta(days=30)
_CLOCK_SKEW = datetime.timedelta(minutes=5)
_ORGANIZATION = "meshproof"
_NO_HOST = "client.invalid"
"""The one name of a client's certificate: verifiers refuse an empty list of names (RFC 5280, section 4.2.1.6)."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority: the cluster's, or one of external hosts. Its keys are ECDSA P-256.

    Certificates have all extensions that strict verifiers ask for (RFC 5280; Python 3.13 and later, Go).
    """

    def __init__(self, name: str = "meshproof-testbed") -> None:
        self._ca = trustme.CA(organization_name=_ORGANIZATION, organization_unit_name=name)

    @property
    def pair(self) -> Pair:
        """The authority's own certificate and key."""
        return Pair(self._ca.cert_pem.bytes(), self._ca.private_key_pem.bytes())

    def issue(
        self,
        common: str,
        organization: str = "",
        names: Sequence[str] = (),
        *,
        validity: tuple[datetime.datetime, datetime.datetime] | None = None,
    ) -> Pair:
        """A certificate for a client, and for a server where `names` (host names and addresses) are given.

        Args:
            common: Kubernetes reads a client's user off it.
            organization: Kubernetes reads a client's group off it.
            validity: first and last moment, with a time zone; None is from now, for 30 days.
        """
        now = datetime.datetime.now(datetime.UTC)
        start, end = validity or (now - _CLOCK_SKEW, now + _LIFETIME)
        issued = self._ca.issue_cert(
            *(names or [_NO_HOST]),
            common_name=common,
            organization_name=organization or _ORGANIZATION,
            not_before=start,
            not_after=end,
        )
        return Pair(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())


def service_account_key() -> Pair:
    """Key pair that signs service account tokens; `certificate` holds the public key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(public, private)


def kubeconfig(server: str, authority: bytes, client: Pair, *, name: str = "meshproof") -> str:
    """A kubeconfig that embeds certificates and keys."""

    def encoded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": encoded(authority)}}],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": encoded(client.certificate),
                    "client-key-data": encoded(client.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(data)
