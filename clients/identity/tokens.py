"""Bearer tokens of a run: keys made for the run, good tokens, and tokens that are wrong in exactly one respect."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from clients.identity import claims, forgery
from clients.identity.claims import ISSUER, ClaimsProfile
from clients.identity.external_issuer import ExternalIssuer
from clients.identity.forgery import MALFORMED
from clients.identity.named import NamedIssuers
from clients.model.errors import SettingsError
from clients.model.token import Token

WITHOUT_CLAIMS = ("malformed", "valid-es256")
"""Kinds that differ from `valid` by no claim."""
MINTED = (*claims.KINDS, *WITHOUT_CLAIMS)
"""Kinds that the security lab's issuer mints."""

ALGORITHMS = ("RS256", "ES256")

_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TokenIssuer:
    """The keys of a run and the tokens signed by them. `TokenIssuer()` makes new keys (RS256 and ES256).

    For each trusted key there are two more of the same algorithm: the next one, which the key set has after a rotation,
    and a foreign one, which no key set has.

    Attributes:
        real: name of a profile (`front`) → the real issuer that replaces the run's own.
        audiences: name of a profile → the audience of its tokens, which replaces the profile's own.
        clock: seconds since 1970, for claims that are times: that of the cluster, whose proxies verify them.
    """

    issuer: str = ISSUER
    subject: str = ISSUER
    clock: Callable[[], float] = staticmethod(time.time)

    def __init__(self) -> None:
        self._trusted = {algorithm: _new_key(algorithm) for algorithm in ALGORITHMS}
        self._foreign = {algorithm: _new_key(algorithm) for algorithm in ALGORITHMS}
        self._next = {algorithm: _new_key(algorithm) for algorithm in ALGORITHMS}
        self._set = secrets.token_hex(4)
        self._secret = secrets.token_hex(32)
        self.real: Mapping[str, ExternalIssuer] = {}
        self.audiences: Mapping[str, str] = {}

    def profile(self, name: str) -> ClaimsProfile:
        """The claims of one of the run's own issuers.

        Raises:
            SettingsError: there is no such profile.
        """
        return claims.profile(name, self.audiences.get(name, ""))

    def issuer_of(self, name: str) -> str:
        """Claim `iss` of a profile's tokens."""
        return self.real[name].issuer if name in self.real else str(self.profile(name).claims["iss"])

    def audience_of(self, name: str) -> str:
        """Claim `aud` of a profile's tokens."""
        return self.real[name].audience if name in self.real else str(self.profile(name).claims["aud"])

    def jwks(self, *sets: str) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517): the trusted ones, or of `sets` (`trusted`, `next`)."""
        chosen = [(name, self._keys(name)[name_]) for name in sets or ("trusted",) for name_ in ALGORITHMS]
        return {"keys": [_public_jwk(key, self._key_id(_algorithm(key), name)) for name, key in chosen]}

    def jwks_json(self, *sets: str) -> str:
        """`jwks()` on one line, without a single quote: fits a quoted YAML scalar (`jwks: '{{ jwks }}'`)."""
        return json.dumps(self.jwks(*sets), separators=(",", ":"))

    def mint(self, kind: str, algorithm: str = "") -> str:
        """A token of this kind (see `clients.identity.claims`); `valid-es256` is `valid` signed with ES256.

        A `foreign-key` token names the trusted key's id, so that the mesh verifies the signature instead of
        refusing an unknown id: "Jwt verification fails". An `unknown-key` token names its own.

        Raises:
            SettingsError: unknown kind, issuer or algorithm.
            InfrastructureError: a real issuer's token cannot be obtained.
        """
        kind, _, name = kind.partition("@")
        if name in self.real:
            return self.real[name].mint(kind, self.forged)
        if kind == "malformed":
            return MALFORMED
        if kind == "valid-es256":
            kind, algorithm = "valid", "ES256"
        issuer = self.profile(name)
        algorithm = algorithm or issuer.algorithm
        if algorithm not in ALGORITHMS:
            raise SettingsError(f"unknown algorithm {algorithm!r}", f"use one of {', '.join(ALGORITHMS)}")
        return self._signed(kind, algorithm, issuer.of(kind, self.clock()))

    def token(self, token: Token) -> str:
        """What a probe sends as this token.

        Raises:
            SettingsError: unknown kind, or claims of an issuer that states its own (`clients.identity.claims`).
            InfrastructureError: a real issuer's token cannot be obtained.
        """
        if token.text:
            return token.text
        if not token.issuer and not token.claims:
            return self.mint(token.kind)
        if token.issuer in claims.PROFILES:
            raise SettingsError(
                f"a token of {token.issuer or 'the security lab'} cannot have other claims", "name another issuer"
            )
        return self.named.mint(token)

    @property
    def named(self) -> NamedIssuers:
        """The issuers that cases name."""
        return NamedIssuers(self._secret, self.clock)

    def sign(self, content: Mapping[str, Any], algorithm: str = "RS256") -> str:
        """A token with these claims, signed with the trusted key."""
        return self._signed("valid", algorithm, dict(content))

    def forged(self, content: Mapping[str, Any], algorithm: str, key_id: str = "") -> str:
        """A token signed with a key that no issuer has; `key_id` claims another key, empty names the key itself."""
        headers = {"kid": key_id or self._key_id(algorithm, "foreign")}
        return jwt.encode(dict(content), self._foreign[algorithm], algorithm=algorithm, headers=headers)

    def signing_key(self, algorithm: str) -> tuple[str, str]:
        """Id and private key (PEM), for a provider that signs its own tokens. It must not be written anywhere."""
        return self._key_id(algorithm), _to_pem(self._trusted[algorithm])

    def _signed(self, kind: str, algorithm: str, content: dict[str, Any]) -> str:
        if kind in {"foreign-key", "unknown-key"}:
            return self.forged(content, algorithm, self._key_id(algorithm) if kind == "foreign-key" else "")
        if kind == "signed-with-public-key":
            public = self._trusted["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return forgery.by_public_key(content, public, self._key_id("RS256"))
        if kind in forgery.WITHOUT_SIGNATURE:
            return forgery.WITHOUT_SIGNATURE[kind](content, self._key_id(algorithm))
        name = "next" if kind.startswith("next-key") else "trusted"
        headers = {"kid": self._key_id(algorithm, name)}
        token = jwt.encode(content, self._keys(name)[algorithm], algorithm=algorithm, headers=headers)
        return forgery.SPOILT[kind](token) if kind in forgery.SPOILT else token

    def dump(self, path: Path) -> None:
        """Write the private state, mode 0600, atomically; `load` in another process gives the same issuer.

        Raises:
            OSError: the folder is missing or not writable.
        """
        state = {
            "set": self._set,
            "secret": self._secret,
            "trusted": {name: _to_pem(key) for name, key in self._trusted.items()},
            "foreign": {name: _to_pem(key) for name, key in self._foreign.items()},
            "next": {name: _to_pem(key) for name, key in self._next.items()},
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
            issuer = cls.__new__(cls)  # not __init__, which would make keys: that takes a while
            issuer._set, issuer._secret = str(state["set"]), str(state["secret"])
            issuer.real, issuer.audiences = {}, {}
            issuer._trusted = {name: _from_pem(state["trusted"][name]) for name in ALGORITHMS}
            issuer._foreign = {name: _from_pem(state["foreign"][name]) for name in ALGORITHMS}
            issuer._next = {name: _from_pem(state["next"][name]) for name in ALGORITHMS}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not the state of a token issuer"
            raise SettingsError(f"token file {path}: {why}", "start the run again") from None
        return issuer

    def _keys(self, name: str) -> dict[str, _PrivateKey]:
        return {"trusted": self._trusted, "foreign": self._foreign, "next": self._next}[name]

    def _key_id(self, algorithm: str, name: str = "trusted") -> str:
        suffix = "" if name == "trusted" else f"-{name}"
        return f"meshproof-{self._set}-{algorithm.lower()}{suffix}"


def _algorithm(key: _PrivateKey) -> str:
    return "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"


def _public_jwk(key: _PrivateKey, key_id: str) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    members: dict[str, Any] = {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
    return {**members, "kid": key_id, "alg": _algorithm(key), "use": "sig"}


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
