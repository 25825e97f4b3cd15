"""Certificates of a testbed: what strict verifiers accept, and who is who by them."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from testbed import pki

pytestmark = pytest.mark.unit


def files(folder: Path, pair: pki.Pair, name: str) -> str:
    path = folder / name
    path.write_bytes(pair.certificate + pair.key)
    return str(path)


def handshake(authority: pki.Pair, server: str, client: str, host: str) -> None:
    """A TLS handshake in memory in which each side verifies the other's certificate by RFC 5280, to the letter.

    Python 3.13 and Go verify like that by default.

    Raises:
        ssl.SSLError: one refuses the other.
    """
    roots = authority.certificate.decode()
    contexts = []
    for purpose, pair in ((ssl.Purpose.CLIENT_AUTH, server), (ssl.Purpose.SERVER_AUTH, client)):
        context = ssl.create_default_context(purpose, cadata=roots)
        context.load_cert_chain(pair)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        contexts.append(context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        contexts[0].wrap_bio(to_server, to_client, server_side=True),
        contexts[1].wrap_bio(to_client, to_server, server_hostname=host),
    ]
    done = [False, False]
    while not all(done):
        for index in (1, 0):
            try:
                sides[index].do_handshake()
                done[index] = True
            except ssl.SSLWantReadError:
                continue
    try:
        sides[0].read(1)
    except ssl.SSLWantReadError:
        return


def test_a_strict_verifier_accepts_servers_and_clients(tmp_path: Path) -> None:
    authority = pki.Authority()
    server = files(tmp_path, authority.issue("kube-apiserver", names=["10.0.0.1", "localhost"]), "server")
    client = files(tmp_path, authority.issue("system:node:meshproof", "system:nodes"), "client")
    for host in ("10.0.0.1", "localhost"):
        handshake(authority.pair, server, client, host)


def test_a_strict_verifier_refuses_another_name_and_another_authority(tmp_path: Path) -> None:
    authority, other = pki.Authority(), pki.Authority()
    server = files(tmp_path, authority.issue("server", names=["localhost"]), "server")
    client = files(tmp_path, authority.issue("client"), "client")
    foreign = files(tmp_path, other.issue("client"), "foreign")
    with pytest.raises(ssl.SSLError, match="Hostname mismatch"):
        handshake(authority.pair, server, client, "another")
    with pytest.raises(ssl.SSLError):
        handshake(authority.pair, server, foreign, "localhost")


def test_kubernetes_reads_user_and_group_off_a_client_certificate() -> None:
    pair = pki.Authority().issue("system:node:meshproof", "system:nodes")
    subject = x509.load_pem_x509_certificate(pair.certificate).subject
    names = {
        oid: [part.value for part in subject.get_attributes_for_oid(oid)]
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    }
    assert names == {NameOID.COMMON_NAME: ["system:node:meshproof"], NameOID.ORGANIZATION_NAME: ["system:nodes"]}


def test_certificates_are_signed_by_the_authority_and_name_the_server() -> None:
    authority = pki.Authority()
    root = x509.load_pem_x509_certificate(authority.pair.certificate)
    leaf = x509.load_pem_x509_certificate(authority.issue("server", names=["10.0.0.1", "host"]).certificate)
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["host"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_a_certificate_may_have_expired() -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    validity = (now - datetime.timedelta(days=30), now - datetime.timedelta(days=1))
    pair = pki.Authority().issue("host", names=["host"], validity=validity)
    leaf = x509.load_pem_x509_certificate(pair.certificate)
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == validity


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    pki.write_secret(tmp_path / "folder" / "key", b"secret")
    assert (tmp_path / "folder" / "key").stat().st_mode & 0o077 == 0
