"""Claims of tokens: by issuer (a profile), and by the one respect in which a kind of token is wrong.

A kind has a name like `expired`, or `expired@front` for an issuer other than that of the security lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clients.model.errors import SettingsError

ISSUER = "testing@secure.istio.io"
"""Issuer and subject of Istio's own sample token (catalogue LAB-JWT-05)."""

OTHER = "other@secure.istio.io"
"""The issuer of `wrong-issuer` and the subject of `other-subject`."""

ISSUED_AT, EXPIRES = 1532389700, 4685989700
"""Claims `iat` and `exp` of the sample token, in seconds since 1970 (July 2018, June 2118)."""

EXPIRED = ISSUED_AT + 3600
NOT_BEFORE = EXPIRES - 3600


@dataclass(frozen=True)
class FromNow:
    """A claim's time, in seconds after the token is made; negative for before."""

    seconds: int


JUST_EXPIRED = FromNow(-300)
"""Envoy allows for clocks that are 60 s off; a node's may be behind the API server's by four times that."""
SOON = FromNow(86_400)
"""Still to come when the longest run ends."""

PROJECT = "meshproof-project"
"""Replaces the Google Cloud project of the documents: audience, and last part of the issuer's address."""

FRONT_ISSUER = f"https://securetoken.google.com/{PROJECT}"
"""Identity Platform's issuer (catalogue, CRA)."""

IAP_ISSUER = "https://cloud.google.com/iap"
RCTOKEN_AUDIENCE = "your-rctoken-aud"
"""`RCTOKEN_AUD` as the document sets it; any string is possible."""

USER = "user@example.com"
ACCESS_LEVEL = "accessPolicies/1234567890/accessLevels/trusted_device"
"""An access level of context-aware access, as IAP names it in claim `google.access_levels`."""


@dataclass(frozen=True)
class ClaimsProfile:
    """An issuer's tokens.

    Attributes:
        claims: those of a valid token, without `iat` and `exp`.
        algorithm: the issuer signs with it unless a token is requested with another.
        kinds: kind → claims that differ from those of a valid token; None removes a claim. They override `KINDS`, whose
            values may be times relative to when a token is made.
    """

    claims: Mapping[str, Any]
    algorithm: str = "RS256"
    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, kind: str, now: float) -> dict[str, Any]:
        """The claims of a kind of token.

        Args:
            now: when it is made, in seconds since 1970, by the clock of those who verify it.

        Raises:
            SettingsError: the kind is unknown.
        """
        changes = self.kinds.get(kind, KINDS.get(kind))
        if changes is None:
            known = ", ".join(sorted({*self.kinds, *KINDS}))
            raise SettingsError(f"unknown kind of token {kind!r}", f"use one of {known}")
        claims = {"exp": EXPIRES, "iat": ISSUED_AT, **self.claims, **changes}
        return {name: _made_at(now, value) for name, value in claims.items() if value is not None}


def _made_at(now: float, value: Any) -> Any:
    return int(now) + value.seconds if isinstance(value, FromNow) else value


KINDS: Mapping[str, Mapping[str, Any]] = {
    "valid": {},
    "foreign-key": {},
    "unknown-key": {},
    "next-key": {},
    "unsigned": {},
    "signature-of-none": {},
    "signed-with-public-key": {},
    "tampered": {},
    "other-signature": {},
    "wrong-issuer": {"iss": OTHER},
    "longer-issuer": {"iss": f"{ISSUER}.example"},
    "expired": {"exp": EXPIRED},
    "just-expired": {"exp": JUST_EXPIRED},
    "not-yet-valid": {"nbf": NOT_BEFORE},
    "soon-valid": {"nbf": SOON},
    "other-subject": {"sub": OTHER},
    "longer-subject": {"sub": f"{ISSUER}.example"},
    "prefixed-subject": {"sub": f"not-{ISSUER}"},
    "wrong-audience": {"aud": "some-other-arbitrary-string"},
    "next-key-wrong-audience": {"aud": "some-other-arbitrary-string"},
}
"""Kinds of every issuer (catalogue, `conventions.tokens`). For keys and signatures see `clients.identity.tokens`."""

_OTHER_PROJECT = "another-project"
_IAP_USER = {"sub": "accounts.google.com:1234567890", "email": USER, "hd": "example.com"}

PROFILES: Mapping[str, ClaimsProfile] = {
    "": ClaimsProfile({"foo": "bar", "iss": ISSUER, "sub": ISSUER}),
    "front": ClaimsProfile(
        {"iss": FRONT_ISSUER, "aud": PROJECT, "sub": "tester", "email": USER, "groups": ["testers"]},
        kinds={
            "wrong-issuer": {"iss": f"https://securetoken.google.com/{_OTHER_PROJECT}"},
            "wrong-audience": {"aud": _OTHER_PROJECT},
            "two-audiences": {"aud": [_OTHER_PROJECT, PROJECT]},
            "no-audience": {"aud": None},
            "longer-audience": {"aud": f"{PROJECT}-of-{PROJECT}"},
            "longer-issuer": {"iss": f"{FRONT_ISSUER}-2"},
            "other-group": {"groups": ["visitors"]},
            "longer-group": {"groups": ["testers-of-testers"]},
        },
    ),
    "iap": ClaimsProfile(
        {
            "iss": IAP_ISSUER,
            "aud": RCTOKEN_AUDIENCE,
            **_IAP_USER,
            "groups": ["admins@example.com", "staff@example.com"],
            "google": {"access_levels": [ACCESS_LEVEL], "device_id": "device-1"},
        },
        algorithm="ES256",
        kinds={
            "wrong-issuer": {"iss": "https://cloud.google.com/other"},
            "longer-issuer": {"iss": f"{IAP_ISSUER}-2"},
            "longer-audience": {"aud": f"{RCTOKEN_AUDIENCE}-of-{RCTOKEN_AUDIENCE}"},
            "no-email": {"email": None},
            "other-user": {"sub": "accounts.google.com:2", "email": "other@example.com"},
            "other-group": {"groups": ["staff@example.com"]},
            "no-group": {"groups": None},
            "longer-group": {"groups": ["admins@example.com.evil.test", "staff@example.com.evil.test"]},
            "prefixed-group": {"groups": ["not-admins@example.com", "not-staff@example.com"]},
            "other-device": {"google": {"access_levels": [ACCESS_LEVEL], "device_id": "device-2"}},
            "longer-device": {"google": {"access_levels": [ACCESS_LEVEL], "device_id": "device-10"}},
            "prefixed-device": {"google": {"access_levels": [ACCESS_LEVEL], "device_id": "other-device-1"}},
            "other-level": {"google": {"access_levels": [f"{ACCESS_LEVEL}_of_others"], "device_id": "device-1"}},
            "prefixed-level": {"google": {"access_levels": [f"another/{ACCESS_LEVEL}"], "device_id": "device-1"}},
            "no-level": {"google": {"device_id": "device-1"}},
            "level-at-top": {"google": None, "access_levels": [ACCESS_LEVEL]},
        },
    ),
}
"""Name after the `@` of a kind → its issuer's tokens; the security lab's name is empty."""


def profile(name: str, audience: str = "") -> ClaimsProfile:
    """The profile of this name.

    Args:
        audience: replaces the profile's own audience; empty keeps that.

    Raises:
        SettingsError: the name is unknown.
    """
    if name not in PROFILES:
        raise SettingsError(f"unknown issuer of tokens {name!r}", f"use one of {', '.join(filter(None, PROFILES))}")
    own = PROFILES[name]
    if not audience or "aud" not in own.claims:
        return own
    kinds = {kind: _for(audience, own.claims["aud"], changes) for kind, changes in own.kinds.items()}
    return replace(own, claims={**own.claims, "aud": audience}, kinds=kinds)


def _for(audience: str, own: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace the profile's own audience in changed claims that list several audiences."""
    changed_audience = changes.get("aud")
    if not isinstance(changed_audience, list):
        return changes
    return {**changes, "aud": [audience if one == own else one for one in changed_audience]}
