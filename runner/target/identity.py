"""Real issuers: from the settings to what mints their tokens, and what of a test they cannot serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clients.identity.external_issuer import ExternalIssuer
from clients.identity.jwks import KeySet
from clients.identity.token_source import SourceSpec, TokenSource, Wanted
from clients.identity.tokens import TokenIssuer
from runner.config.identity_settings import Identity
from runner.config.settings import Settings

_ANOTHER = "https://another-audience.example.com"
"""Asked of a source that gives tokens for any audience."""


def named(settings: Settings) -> dict[str, tuple[str, Identity]]:
    """Name of a profile (`clients.identity.claims`) → name of the settings, and they themselves."""
    return {"front": ("identity", settings.identity), "iap": ("iap", settings.iap)}


def real_issuers(settings: Settings) -> dict[str, ExternalIssuer]:
    """Those that the settings name, by profile. Asks nobody for anything."""
    return {profile: _issuer(name, said) for profile, (name, said) in named(settings).items() if said.token}


def audiences(settings: Settings) -> dict[str, str]:
    """By profile, where the settings name one."""
    return {profile: said.audience for profile, (_, said) in named(settings).items() if said.audience}


def check(settings: Settings) -> None:
    """Fetch a token from every source before anything starts.

    Raises:
        SettingsError: one gives none, or another than is wanted.
    """
    for issuer in real_issuers(settings).values():
        issuer.check()


def take_over(tokens: TokenIssuer, real: Mapping[str, ExternalIssuer], settings: Settings) -> TokenIssuer:
    """The run's issuer, which passes on what is asked of a real one."""
    tokens.real, tokens.audiences = real, audiences(settings)
    return tokens


def why_not(tokens: Iterable[tuple[str, bool]], real: Mapping[str, ExternalIssuer]) -> str:
    """Why a test cannot have its tokens; empty when it can.

    Args:
        tokens: kinds (`expired@front`), each with whether it is sent in the address.
    """
    for token, in_query in tokens:
        kind, _, profile = token.partition("@")
        if profile in real and (why := real[profile].why_not(kind, in_query=in_query)):
            return why
    return ""


def _issuer(name: str, said: Identity) -> ExternalIssuer:
    good = TokenSource(f"{name}.token", SourceSpec.parse(said.token), Wanted(said.issuer, said.audience))
    keys = KeySet(said.issuer, said.jwks_uri, said.jwks)
    return ExternalIssuer(name, said.issuer, said.audience, keys, good, _others(name, said))


def _others(name: str, said: Identity) -> dict[str, TokenSource]:
    """Sources of tokens that are wrong in one way."""
    found: dict[str, TokenSource] = {}
    if said.expired_token:
        wanted = Wanted(said.issuer, said.audience, expired=True)
        found["expired"] = TokenSource(f"{name}.expired_token", SourceSpec.parse(said.expired_token), wanted)
    source = SourceSpec.parse(said.other_audience_token or said.token)
    if said.other_audience_token or source.any_audience:
        wanted = Wanted(said.issuer, _ANOTHER, not_for=said.audience)
        setting = "other_audience_token" if said.other_audience_token else "token"
        found["wrong-audience"] = TokenSource(f"{name}.{setting}", source, wanted)
    return found
