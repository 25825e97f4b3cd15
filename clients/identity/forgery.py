"""Tokens that a verifier must refuse, made from a good one without the issuer's private key."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.utils import base64url_decode, base64url_encode

MALFORMED = "invalidToken"
"""The security lab's bad token, which is not a JWT at all."""

_TAMPERED = {"sub": "somebody-else", "email": "admin@example.com"}


def unsigned(content: Mapping[str, Any], key_id: str) -> str:
    """Algorithm `none`, and no signature (RFC 8725, section 2.1)."""
    return jwt.encode(dict(content), "", algorithm="none", headers={"kid": key_id})


def signature_of_none(content: Mapping[str, Any], key_id: str) -> str:
    """Algorithm `none`, with arbitrary bytes as the signature."""
    return unsigned(content, key_id) + _encoded(b"signature")


def by_public_key(content: Mapping[str, Any], public_pem: bytes, key_id: str) -> str:
    """HS256 with a public key's text as the secret, which a confused verifier accepts (RFC 8725, section 2.1).

    It is put together here because PyJWT refuses to sign with such a secret.
    """
    head = {"alg": "HS256", "kid": key_id, "typ": "JWT"}
    signed = f"{_part(head)}.{_part(content)}"
    return f"{signed}.{_encoded(hmac.digest(public_pem, signed.encode(), 'sha256'))}"


def tampered(token: str) -> str:
    """Another user's name under the signature of a good token."""
    head, content, signature = token.split(".")
    claims = json.loads(base64url_decode(content))
    return f"{head}.{_part({**claims, **_TAMPERED})}.{signature}"


def other_signature(token: str) -> str:
    """A good token's content under a signature in which one bit differs."""
    signed, _, signature = token.rpartition(".")
    raw = bytearray(base64url_decode(signature))
    raw[len(raw) // 2] ^= 1
    return f"{signed}.{_encoded(bytes(raw))}"


WITHOUT_SIGNATURE = {"unsigned": unsigned, "signature-of-none": signature_of_none}
"""Kind → function that makes it from claims and a key's id."""

SPOILT = {"tampered": tampered, "other-signature": other_signature}
"""Kind → function that makes it from a good token."""


def _part(value: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return base64url_encode(raw).decode("ascii")
