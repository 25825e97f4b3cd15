"""A real issuer's public keys: from a URL, from a file, or from the URL that the issuer's own configuration names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clients.model.errors import MeshproofError, SettingsError

_HINT = "name the issuer's public keys by identity.jwks (a file) or identity.jwks_uri"
DISCOVERY = "/.well-known/openid-configuration"
"""Path of an issuer's configuration (OpenID Connect Discovery 1.0, section 4)."""
SECRET_MEMBERS = frozenset({"d", "k"})
"""Members that only private and symmetric keys have (RFC 7518, section 6)."""
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class KeySet:
    """Public keys, which are fetched when they are first needed.

    Attributes:
        issuer: the keys' owner; its configuration names their URL where `uri` and `file` are empty.
        uri: the keys' URL, which the mesh must reach too.
        file: a file with the key set, for issuers that the mesh cannot reach.
    """

    issuer: str
    uri: str = ""
    file: Path | None = None

    @property
    def rule(self) -> dict[str, str]:
        """The fields of a RequestAuthentication's rule that name the keys; empty if the mesh is to ask the issuer.

        Raises:
            SettingsError: the file is no key set, or it holds a secret key, which must not reach the cluster.
        """
        if self.file:
            if any(key.keys() & SECRET_MEMBERS for key in self._keys):
                raise SettingsError(f"the key set {self.file} holds a secret key", "give it the public keys only")
            return {"jwks": json.dumps({"keys": self._keys}, separators=(",", ":"))}
        return {"jwksUri": self.uri} if self.uri else {}

    def why_not(self, key_id: str) -> str:
        """Why a public key's text cannot serve as the secret of a bad token (HS256); empty where it can."""
        try:
            key = self._key(key_id)
        except MeshproofError as error:
            return f"it takes the issuer's public key: {error.message}"
        return "" if key.get("alg") else f"the key {key_id!r} of {self.issuer} is for any algorithm: it names none"

    def public_pem(self, key_id: str) -> bytes:
        """A key as PEM. An empty id means the key without an id.

        Raises:
            SettingsError: the keys cannot be fetched or read, or there is no usable public key of this id.
        """
        unusable = SettingsError(f"the key {key_id!r} of {self.issuer} cannot be used", _HINT)
        try:
            key = jwt.PyJWK(self._key(key_id)).key
        except (jwt.PyJWTError, TypeError):
            raise unusable from None
        if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
            raise unusable
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _key(self, key_id: str) -> dict[str, Any]:
        found = next((key for key in self._keys if key.get("kid", "") == key_id), None)
        if found is None:
            raise SettingsError(f"the key set of {self.issuer} has no key {key_id!r}", _HINT)
        return found

    @cached_property
    def _keys(self) -> list[dict[str, Any]]:
        if self.file:
            return _keys_of(_read(self.file), f"the file {self.file}")
        address = self.uri or self._discovered()
        return _keys_of(_fetch(address), address)

    def _discovered(self) -> str:
        address = self.issuer.rstrip("/") + DISCOVERY
        uri = _fetch(address).get("jwks_uri")
        if not isinstance(uri, str):
            raise SettingsError(f"{address} names no jwks_uri", _HINT)
        return uri


def _keys_of(document: Any, where: str) -> list[dict[str, Any]]:
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise SettingsError(f"{where} is no key set", _HINT)
    return keys


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the key set {file} cannot be read: {error.strerror}", _HINT) from None
    except ValueError:
        raise SettingsError(f"the key set {file} is not JSON", _HINT) from None


def _fetch(address: str) -> dict[str, Any]:
    try:
        reply = requests.get(address, timeout=TIMEOUT_S)
        reply.raise_for_status()
        document = reply.json()
    except (requests.RequestException, ValueError) as error:
        raise SettingsError(f"{address} cannot be fetched ({type(error).__name__})", _HINT) from None
    if not isinstance(document, dict):
        raise SettingsError(f"{address} gives no JSON object", _HINT)
    return document
