"""Issuers that cases name (`clients.model.token`): their keys, derived from one secret of the run, and their tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import ECAlgorithm

from clients.identity import forgery
from clients.identity.claims import ClaimsProfile
from clients.model.errors import SettingsError
from clients.model.token import Token

ALGORITHM = "ES256"

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (SP 800-186, section 3.2.1.3)."""
_BYTES = 40
"""Enough that the remainder of the division is even (FIPS 186-5, appendix A.2.1)."""
_FOREIGN = {"foreign-key", "unknown-key"}
_OTHERS = {"next-key", "signed-with-public-key"}
"""Kinds of `clients.identity.claims` that only the run's own issuers have."""


class NamedIssuers(Mapping[str, str]):
    """By name, the key set of each issuer, on one line: `{{ jwks_of.people }}` in a manifest.

    Any name has a key: the same one in every process of the run.

    Args:
        secret: of the run, in hex digits.
        clock: seconds since 1970, for claims that are times.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = bytes.fromhex(secret)
        self._clock = clock

    def __getitem__(self, issuer: str) -> str:
        jwk = ECAlgorithm.to_jwk(self._key(issuer).public_key(), as_dict=True)
        members = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
        key = {**members, "kid": _key_id(issuer), "alg": ALGORITHM, "use": "sig"}
        return json.dumps({"keys": [key]}, separators=(",", ":"))

    def __iter__(self) -> Iterator[str]:
        return iter(())  # every name is there: none is listed

    def __len__(self) -> int:
        return 0

    def mint(self, token: Token) -> str:
        """The token, signed as its kind says.

        Raises:
            SettingsError: unknown kind.
        """
        if token.kind == "malformed":
            return forgery.MALFORMED
        if token.kind in _OTHERS:
            raise SettingsError(f"a named issuer has no token of kind {token.kind!r}", "use a kind of another issuer")
        own = ClaimsProfile({"iss": f"https://{token.issuer}.example.test"})
        content = {**own.of(token.kind, self._clock()), **token.claims}
        given = {name: value for name, value in content.items() if value is not None}
        if token.kind in forgery.WITHOUT_SIGNATURE:
            return forgery.WITHOUT_SIGNATURE[token.kind](given, _key_id(token.issuer))
        return self._signed(token, given)

    def _signed(self, token: Token, content: dict[str, Any]) -> str:
        name = f"{token.issuer}/foreign" if token.kind in _FOREIGN else token.issuer
        key_id = _key_id(name if token.kind == "unknown-key" else token.issuer)
        payload = json.dumps(content, separators=(",", ":")).encode()  # not by `jwt.encode`, which checks types
        signed = jwt.PyJWS().encode(payload, self._key(name), ALGORITHM, {"kid": key_id})
        return forgery.SPOILT[token.kind](signed) if token.kind in forgery.SPOILT else signed

    def _key(self, name: str) -> ec.EllipticCurvePrivateKey:
        derived = HKDF(SHA256(), _BYTES, None, name.encode()).derive(self._secret)
        return ec.derive_private_key(int.from_bytes(derived) % (_ORDER - 1) + 1, ec.SECP256R1())


def _key_id(name: str) -> str:
    return f"meshproof-{name}"
