"""Certificates of authorities that exist for a run only: of its gateway, and of clients that no mesh should know."""

from __future__ import annotations

import base64
import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from clients.model.client_certificate import ClientCertificate

_LIFETIME = datetime.timedelta(days=2)
_CLOCK_SKEW = datetime.timedelta(hours=1)
_ALWAYS = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
"""Validity of certificates that are to be refused for their authority alone, whatever a clock says."""


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


def issue(names: Sequence[str], clock: Callable[[], float] = time.time) -> ServerCertificate:
    """Create an authority and a certificate for these DNS names (`*.example.com` too); keys are ECDSA P-256.

    The authority's private key is not kept. The certificate is valid for two days, from the time on this machine, whose
    clients verify it, and from that on the cluster.

    Args:
        clock: the cluster's, in seconds since 1970.
    """
    authority = trustme.CA(organization_name="meshproof run")
    first, last = sorted(datetime.datetime.fromtimestamp(one, datetime.UTC) for one in (time.time(), clock()))
    begins, ends = first - _CLOCK_SKEW, last + _LIFETIME
    pair = authority.issue_cert(*names, common_name=names[0], not_before=begins, not_after=ends)
    return ServerCertificate(
        roots=authority.cert_pem.bytes().decode("ascii"),
        certificate=pair.cert_chain_pems[0].bytes().decode("ascii"),
        key=pair.private_key_pem.bytes().decode("ascii"),
    )


class ForeignAuthority:
    """An authority that no mesh knows, whatever its certificates say. Its private key stays in this process.

    Attributes:
        roots: PEM of its own certificate.
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "meshproof run, foreign")])
        authority = self._unsigned(self._name, self._key.public_key())
        authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        signed = authority.add_extension(_usage(signs=True), critical=True).sign(self._key, SHA256())
        self.roots = signed.public_bytes(Encoding.PEM).decode("ascii")

    def impostor(self, identity: str) -> ClientCertificate:
        """A client's certificate with this URI as its only name, as SPIFFE has it (X.509-SVID, sections 2 to 4)."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        wanted = self._unsigned(x509.Name([]), key.public_key()).add_extension(name, critical=True)
        wanted = wanted.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        wanted = wanted.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        signed = wanted.add_extension(_usage(signs=False), critical=True).sign(self._key, SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return ClientCertificate(identity, (signed.public_bytes(Encoding.PEM) + private).decode("ascii"))

    def _unsigned(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(_ALWAYS[0]).not_valid_after(_ALWAYS[1])


@cache
def foreign_authority() -> ForeignAuthority:
    """That of this process."""
    return ForeignAuthority()


def _usage(*, signs: bool) -> x509.KeyUsage:
    unused = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=False, decipher_only=False, **unused
    )
