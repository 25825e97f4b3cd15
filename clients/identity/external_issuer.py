"""A real issuer, whose private key the run does not have: its good tokens, and bad ones made without that key.

A token that is wrong in one respect must be right in all others, so that a refusal is for that one reason. Where this
takes the issuer's own signature (expired, another audience), a second source must give the token, or there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clients.identity import forgery
from clients.identity.claims import OTHER
from clients.identity.jwks import KeySet
from clients.identity.token_source import TokenSource
from clients.model.errors import InfrastructureError, SettingsError

FORGEABLE = frozenset({"RS256", "ES256"})
"""Algorithms for which a run has its own key."""

_WITHOUT_KEY = frozenset({"malformed", "wrong-issuer", "unknown-key", *forgery.WITHOUT_SIGNATURE, *forgery.SPOILT})
_BY_SOURCE = {"expired": "expired_token", "wrong-audience": "other_audience_token"}
"""Kinds that only the issuer can make, and the setting that names a source of them."""


class Forger(Protocol):
    """Signs with a key that no issuer has (see `clients.identity.tokens.TokenIssuer.forged`)."""

    def __call__(self, content: Mapping[str, Any], algorithm: str, key_id: str = "") -> str:
        """A token with this content; `key_id` claims that another key signed it."""


@dataclass(frozen=True)
class ExternalIssuer:
    """The issuer that replaces the run's own.

    Attributes:
        setting: section of the settings that names it (`identity`), for errors.
        good: gives its good tokens.
        others: kind (`expired`, `wrong-audience`) → source of such tokens, where the settings name one.
    """

    setting: str
    issuer: str
    audience: str
    keys: KeySet
    good: TokenSource
    others: Mapping[str, TokenSource]

    def check(self) -> None:
        """Fetch a token from every source, once.

        Raises:
            SettingsError: a source gives no token or a wrong one, or the file of keys is not a key set.
        """
        _ = self.keys.rule
        for source in (self.good, *self.others.values()):
            source.token()

    def go_by(self, clock: Callable[[], float]) -> None:
        """Check by this clock (seconds since 1970) which tokens have expired: that of the proxies that verify them."""
        for source in (self.good, *self.others.values()):
            source.go_by(clock)

    def why_not(self, kind: str, *, in_query: bool = False) -> str:
        """Why a token of this kind cannot be sent; empty where it can.

        Args:
            in_query: the token would be sent as a query parameter.
        """
        if in_query and (kind == "valid" or kind in self.others):
            return "a real token is not sent in an address: it would stay in the access logs of the cluster"
        if kind == "valid" or kind in self.others or kind in _WITHOUT_KEY:
            return ""
        if kind == "foreign-key":
            algorithm = str(self.good.header().get("alg"))
            return "" if algorithm in FORGEABLE else f"the issuer signs by {algorithm}, for which a run has no key"
        if kind == "signed-with-public-key":
            return self.keys.why_not(self._key_id())
        why = f"a token of kind {kind} takes the private key of {self.issuer}"
        name = _BY_SOURCE.get(kind)
        return f"{why}; {self.setting}.{name} can name a source of such tokens" if name else why

    def mint(self, kind: str, forged: Forger) -> str:
        """A token of this kind.

        Raises:
            InfrastructureError: there is no such token, or its source no longer gives one. The mesh is not to blame.
        """
        try:
            if why := self.why_not(kind):
                raise InfrastructureError(why)
            return self._made(kind, forged)
        except SettingsError as error:
            raise InfrastructureError(error.message, error.hint) from None

    def _made(self, kind: str, forged: Forger) -> str:
        if kind == "malformed":
            return forgery.MALFORMED
        if kind == "valid" or kind in self.others:
            return self.others.get(kind, self.good).token()
        if kind in forgery.SPOILT:
            return forgery.SPOILT[kind](self.good.token())
        content, key_id = self.good.claims(), self._key_id()
        if kind in forgery.WITHOUT_SIGNATURE:
            return forgery.WITHOUT_SIGNATURE[kind](content, key_id)
        if kind == "signed-with-public-key":
            return forgery.by_public_key(content, self.keys.public_pem(key_id), key_id)
        algorithm = str(self.good.header().get("alg"))
        algorithm = algorithm if algorithm in FORGEABLE else "RS256"
        if kind == "foreign-key":
            return forged(content, algorithm, key_id)
        return forged({**content, "iss": OTHER} if kind == "wrong-issuer" else content, algorithm)

    def _key_id(self) -> str:
        return str(self.good.header().get("kid", ""))
