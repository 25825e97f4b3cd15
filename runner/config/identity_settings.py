"""The settings of a real issuer: `[identity]` and `[iap]`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from clients.identity.token_source import SourceSpec
from runner.config.paths import AnyPath
from runner.config.texts import formed


class Identity(BaseModel):
    """A real issuer of end users' tokens; without `token` the run is its own issuer.

    A source of tokens reads `command:PROGRAM ARGUMENT…`, `file:/PATH`, `env:VARIABLE` or `metadata` (Google's metadata
    server); `{audience}` in a command is replaced by the audience that the token is for.

    Attributes:
        issuer: claim `iss`.
        audience: claim `aud`; without `token`, of the run's own tokens.
        jwks_uri: address of the public keys; without it and `jwks` the mesh discovers it by the issuer.
        jwks: file with the public keys, for an issuer that the mesh cannot reach.
        token: source of good tokens.
        expired_token: source of one that has expired.
        other_audience_token: source of one for another audience; a source that takes any audience needs none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    issuer: str = ""
    audience: str = ""
    jwks_uri: Annotated[str, formed("(https?://.+)?", "an address of http or https")] = ""
    jwks: AnyPath | None = None
    token: str = ""
    expired_token: str = ""
    other_audience_token: str = ""

    @field_validator("token", "expired_token", "other_audience_token")
    @classmethod
    def _source(cls, text: str) -> str:
        if text:
            SourceSpec.parse(text)
        return text

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token and not (self.issuer and self.audience):
            raise ValueError("a source of tokens needs the issuer and the audience that they must have")
        alone = [name for name in type(self).model_fields if name not in {"token", "audience"} and getattr(self, name)]
        if alone and not self.token:
            raise ValueError(f"{alone[0]} is of a real issuer, so it needs a source of tokens (token)")
        if self.jwks_uri and self.jwks:
            raise ValueError("the keys are either at jwks_uri or in jwks")
        return self
