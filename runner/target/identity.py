"""Real issuers: from the settings to the sources of their tokens, and which tokens they cannot provide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from clients.identity.external_issuer import ExternalIssuer
from clients.identity.jwks import KeySet
from clients.identity.token_source import SourceSpec, TokenSource, Wanted
from clients.identity.tokens import TokenIssuer
from runner.config.identity_settings import Identity
from runner.config.settings import Settings

_ANOTHER = "https://another-audience.example.com"
"""Requested from a source that provides tokens for any audience."""


def named(settings: Settings) -> dict[str, tuple[str, Identity]]:
    """Name of a profile (`clients.identity.claims`) → name of its settings, and the settings."""
    return {"front": ("identity", settings.identity), "iap": ("iap", settings.iap)}


def real_issuers(settings: Settings) -> dict[str, ExternalIssuer]:
    """The real issuers that the settings name, by profile. Sends no request."""
    return {profile: _issuer(name, given) for profile, (name, given) in named(settings).items() if given.token}


def audiences(settings: Settings) -> dict[str, str]:
    """Audiences by profile, where the settings name one."""
    return {profile: given.audience for profile, (_, given) in named(settings).items() if given.audience}


def check(settings: Settings) -> None:
    """Fetch a token from every source before anything starts.

    Raises:
        SettingsError: one provides no token, or a token of other claims.
    """
    for issuer in real_issuers(settings).values():
        issuer.check()


def take_over(
    tokens: TokenIssuer, real: Mapping[str, ExternalIssuer], settings: Settings, clock: Callable[[], float]
) -> TokenIssuer:
    """The run's issuer, which takes tokens of a real issuer's profile from that issuer.

    Args:
        clock: the cluster's, in seconds since 1970.
    """
    tokens.real, tokens.audiences, tokens.clock = real, audiences(settings), clock
    for issuer in real.values():
        issuer.go_by(clock)
    return tokens


def why_not(tokens: Iterable[tuple[str, bool]], real: Mapping[str, ExternalIssuer]) -> str:
    """Why a test cannot get its tokens; empty when it can.

    Args:
        tokens: kinds (`expired@front`), each with whether it is sent in the address.
    """
    for token, in_query in tokens:
        kind, _, profile = token.partition("@")
        if profile in real and (why := real[profile].why_not(kind, in_query=in_query)):
            return why
    return ""


def _issuer(name: str, given: Identity) -> ExternalIssuer:
    good = TokenSource(f"{name}.token", SourceSpec.parse(given.token), Wanted(given.issuer, given.audience))
    keys = KeySet(given.issuer, given.jwks_uri, given.jwks)
    return ExternalIssuer(name, given.issuer, given.audience, keys, good, _others(name, given))


def _others(name: str, given: Identity) -> dict[str, TokenSource]:
    """Sources of tokens with one defect each, by kind."""
    found: dict[str, TokenSource] = {}
    if given.expired_token:
        wanted = Wanted(given.issuer, given.audience, expired=True)
        found["expired"] = TokenSource(f"{name}.expired_token", SourceSpec.parse(given.expired_token), wanted)
    source = SourceSpec.parse(given.other_audience_token or given.token)
    if given.other_audience_token or source.any_audience:
        wanted = Wanted(given.issuer, _ANOTHER, not_for=given.audience)
        setting = "other_audience_token" if given.other_audience_token else "token"
        found["wrong-audience"] = TokenSource(f"{name}.{setting}", source, wanted)
    return found
