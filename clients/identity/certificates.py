"""A server certificate for the gateway of a run, by an authority that is made for it and kept nowhere."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_LIFE = datetime.timedelta(days=2)
_SKEW = datetime.timedelta(hours=1)


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
    """A new authority and a certificate of it for these DNS names (`*.example.com` too)."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("meshproof run")
    root = _builder(issuer, issuer, authority).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    server = (
        _builder(_name(names[0]), issuer, key)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    root = root.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    root = root.add_extension(usage, critical=True)
    return ServerCertificate(
        roots=_pem(root.sign(authority, hashes.SHA256())),
        certificate=_pem(server.sign(authority, hashes.SHA256())),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
