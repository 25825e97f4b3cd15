"""Bearer tokens of a run: keys made for the run, tokens that are right, and tokens wrong in exactly one way."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from clients.errors import SettingsError

ISSUER = "testing@secure.istio.io"
"""Issuer and subject of Istio's own sample token (catalogue LAB-JWT-05)."""

OTHER = "other@secure.istio.io"
"""The issuer of `wrong-issuer` and the subject of `other-subject`."""

MALFORMED = "invalidToken"
"""What the security lab sends as a bad token: not a JWT at all."""

ISSUED_AT, EXPIRES = 1532389700, 4685989700
"""Claims `iat` and `exp` of the sample token, in seconds since 1970 (July 2018, June 2118)."""

EXPIRED = ISSUED_AT + 3600

_CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "valid": {},
    "foreign-key": {},
    "wrong-issuer": {"iss": OTHER},
    "expired": {"exp": EXPIRED},
    "other-subject": {"sub": OTHER},
}
"""Kind of token → claims that differ from the valid one's (catalogue, `conventions.tokens`)."""

KINDS = (*_CLAIMS, "malformed", "valid-es256")
ALGORITHMS = ("RS256", "ES256")

_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TokenIssuer:
    """The keys of a run and the tokens signed by them. `TokenIssuer()` makes new keys (RS256 and ES256).

    Beside each trusted key there is a foreign one of the same algorithm, which is in no key set.
    """

    issuer: str = ISSUER
    subject: str = ISSUER

    def __init__(self) -> None:
        self._trusted = {algorithm: _new_key(algorithm) for algorithm in ALGORITHMS}
        self._foreign = {algorithm: _new_key(algorithm) for algorithm in ALGORITHMS}
        self._set = secrets.token_hex(4)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517)."""
        return {"keys": [self._public_jwk(algorithm) for algorithm in ALGORITHMS]}

    def jwks_json(self) -> str:
        """`jwks()` on one line, without a single quote: fits a quoted YAML scalar (`jwks: '{{ jwks }}'`)."""
        return json.dumps(self.jwks(), separators=(",", ":"))

    def mint(self, kind: str, algorithm: str = "RS256") -> str:
        """A token of this kind (see `KINDS`); `valid-es256` is `valid` signed with ES256.

        A `foreign-key` token names the trusted key's id, so that the mesh verifies the signature instead of
        refusing an unknown id: "Jwt verification fails".

        Raises:
            SettingsError: unknown kind or algorithm.
        """
        if kind == "malformed":
            return MALFORMED
        if kind == "valid-es256":
            kind, algorithm = "valid", "ES256"
        if kind not in _CLAIMS:
            raise SettingsError(f"unknown kind of token {kind!r}", f"use one of {', '.join(KINDS)}")
        if algorithm not in ALGORITHMS:
            raise SettingsError(f"unknown algorithm {algorithm!r}", f"use one of {', '.join(ALGORITHMS)}")
        claims = {"exp": EXPIRES, "foo": "bar", "iat": ISSUED_AT, "iss": self.issuer, "sub": self.subject}
        keys = self._foreign if kind == "foreign-key" else self._trusted
        headers = {"kid": self._key_id(algorithm)}
        return jwt.encode({**claims, **_CLAIMS[kind]}, keys[algorithm], algorithm=algorithm, headers=headers)

    def dump(self, path: Path) -> None:
        """Write the private state, mode 0600, atomically; `load` in another process gives the same issuer.

        Raises:
            OSError: the folder is missing or not writable.
        """
        state = {
            "set": self._set,
            "trusted": {name: _to_pem(key) for name, key in self._trusted.items()},
            "foreign": {name: _to_pem(key) for name, key in self._foreign.items()},
        }
        # mkstemp makes the file 0600 from the start, so the keys are never readable by others.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(state, file)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> Self:
        """The issuer that `dump` wrote.

        Raises:
            SettingsError: the file is missing or not such a state.
        """
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            issuer = cls.__new__(cls)  # not __init__: making keys takes a while
            issuer._set = str(state["set"])
            issuer._trusted = {name: _from_pem(state["trusted"][name]) for name in ALGORITHMS}
            issuer._foreign = {name: _from_pem(state["foreign"][name]) for name in ALGORITHMS}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not the state of a token issuer"
            raise SettingsError(f"token file {path}: {why}", "start the run anew") from None
        return issuer

    def _key_id(self, algorithm: str) -> str:
        return f"meshproof-{self._set}-{algorithm.lower()}"

    def _public_jwk(self, algorithm: str) -> dict[str, Any]:
        key = self._trusted[algorithm]
        if isinstance(key, rsa.RSAPrivateKey):
            jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        members: dict[str, Any] = {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
        return {**members, "kid": self._key_id(algorithm), "alg": algorithm, "use": "sig"}


def _new_key(algorithm: str) -> _PrivateKey:
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _to_pem(key: _PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _from_pem(pem: str) -> _PrivateKey:
    key = load_pem_private_key(pem.encode("ascii"), password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("neither an RSA nor an elliptic-curve key")
    return key
