"""A real issuer's public keys: from its address, from a file, or from where its own configuration says they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clients.model.errors import MeshproofError, SettingsError

DISCOVERY = "/.well-known/openid-configuration"
"""Where an issuer tells its configuration (OpenID Connect Discovery 1.0, section 4)."""
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class KeySet:
    """Public keys, fetched when they are first needed.

    Attributes:
        issuer: whose they are; asked for their address where neither `uri` nor `file` tells.
        uri: their address, which the mesh must reach, too.
        file: a file with the key set, for issuers that the mesh does not reach.
    """

    issuer: str
    uri: str = ""
    file: Path | None = None

    @property
    def rule(self) -> dict[str, str]:
        """The fields of a RequestAuthentication's rule that name the keys; empty: the mesh asks the issuer.

        Raises:
            SettingsError: the file is no key set.
        """
        if self.file:
            return {"jwks": json.dumps(self._of_file(self.file), separators=(",", ":"))}
        return {"jwksUri": self.uri} if self.uri else {}

    def why_not(self, key_id: str) -> str:
        """Why no token can be made of a public key's text that is refused for its algorithm; empty where one can."""
        try:
            key = self._key(key_id)
        except MeshproofError as error:
            return f"it takes the issuer's public key: {error.message}"
        return "" if key.get("alg") else f"the key {key_id!r} of {self.issuer} is for any algorithm: it names none"

    def public_pem(self, key_id: str) -> bytes:
        """A key as PEM; the one without an id, where tokens name none.

        Raises:
            SettingsError: the keys cannot be had, or there is none of this id that can be used.
        """
        try:
            made = jwt.PyJWK(self._key(key_id)).key
        except jwt.PyJWTError:
            raise SettingsError(f"the key {key_id!r} of {self.issuer} cannot be used") from None
        raw: bytes = made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return raw

    def _key(self, key_id: str) -> dict[str, Any]:
        found = [key for key in self._keys if key.get("kid", "") == key_id]
        if not found:
            raise SettingsError(f"the key set of {self.issuer} has no key {key_id!r}")
        return found[0]

    @cached_property
    def _keys(self) -> list[dict[str, Any]]:
        told = self._of_file(self.file) if self.file else _json(self.uri or self._discovered())
        keys = told.get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise SettingsError(f"what {self.uri or self.file or self.issuer} gives is no key set")
        return keys

    def _discovered(self) -> str:
        address = self.issuer.rstrip("/") + DISCOVERY
        uri = _json(address).get("jwks_uri")
        if not isinstance(uri, str):
            raise SettingsError(f"{address} names no jwks_uri")
        return uri

    def _of_file(self, file: Path) -> dict[str, Any]:
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"the key set {file} cannot be read: {error.strerror}") from None
        except ValueError:
            raise SettingsError(f"the key set {file} is not JSON") from None
        if not isinstance(told, dict) or not isinstance(told.get("keys"), list):
            raise SettingsError(f"the file {file} is no key set")
        return told


def _json(address: str) -> dict[str, Any]:
    try:
        reply = requests.get(address, timeout=TIMEOUT_S)
        reply.raise_for_status()
        told = reply.json()
    except (requests.RequestException, ValueError) as error:
        raise SettingsError(f"{address} cannot be fetched ({type(error).__name__})") from None
    if not isinstance(told, dict):
        raise SettingsError(f"{address} gives no JSON object")
    return told
