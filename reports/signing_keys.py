"""The keys that sign the files of a run, and that check it: Ed25519, as PEM."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from reports.record.model import ReportError


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key of a file. Raises ReportError where it cannot be read, is none of Ed25519 as PEM, or is encrypted."""
    try:
        found = serialization.load_pem_private_key(_content(path, "private"), None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise ReportError(f"{path} is no private key of Ed25519", "openssl genpkey -algorithm ed25519 makes one")
    return found


def public_key(path: Path) -> Ed25519PublicKey:
    """The key of a file. Raises ReportError where it cannot be read, or is none of Ed25519 as PEM."""
    try:
        found = serialization.load_pem_public_key(_content(path, "public"))
    except ValueError:
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise ReportError(f"{path} is no public key of Ed25519", "openssl pkey -in KEY -pubout writes it")
    return found


def _content(path: Path, kind: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read the {kind} key {path}: {error.strerror}", "name a file in PEM") from None


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the public key, in hex digits."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()
