"""Tokens that a probe sends: whose, with which claims, in which place. Data only; keys are the run's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BEARER = "Authorization: Bearer {}"
"""How a token is sent (RFC 6750, section 2.1)."""

VALID = "valid"


@dataclass(frozen=True)
class Token:
    """One token. A probe may send several, each in its place.

    Attributes:
        issuer: a name of the author's choice. The run has keys for it (`{{ jwks_of.people }}` in a manifest), and its
            tokens have `iss` `https://people.example.test`, unless `claims` state another. Empty for an issuer that
            `kind` names.
        claims: those that differ from `iss`, `iat` and `exp`, of any type of JSON; None removes one.
        kind: `valid`, or in which one respect it is wrong (`expired`, `foreign-key`, … see `clients.identity.claims`).
        place: form in which it is sent, with `{}` for the token: `Header: value`, or `?name={}` for a query parameter.
        text: sent in place of a token, as it is (`garbage`).
    """

    issuer: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, hash=False)
    kind: str = VALID
    place: str = BEARER
    text: str = ""

    @property
    def words(self) -> str:
        """Kind, issuer and claims: `valid`, `expired of people`, `of people, roles ["admin"], no sub`, `'garbage'`."""
        if self.text:
            return repr(self.text)
        if not self.issuer:
            return self.kind
        claims = [
            f"no {name}" if value is None else f"{name} {json.dumps(value)}" for name, value in self.claims.items()
        ]
        return ", ".join([f"{'' if self.kind == VALID else f'{self.kind} '}of {self.issuer}", *claims])

    @property
    def where(self) -> str:
        """Name of the header, or of the query parameter with its question mark: `Authorization`, `?token`."""
        return self.place.partition("=")[0] if self.in_url else self.place.partition(":")[0]

    @property
    def in_url(self) -> bool:
        """Whether it is a query parameter, which logs keep."""
        return self.place.startswith("?")
