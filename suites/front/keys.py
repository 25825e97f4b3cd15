"""The issuer's keys: where they are served, and the requests that show which keys the gateway has."""

from __future__ import annotations

from clients.model.stage import Settle
from suites.front.workloads import ENVIRONMENT, NO_TOKEN, SHOWS_SECRET, bad_token, call

KEYS_ENVIRONMENT = (*ENVIRONMENT, "front/issuer")
REQUIRE = "front/keys/require-token.yaml"

OLD, NEXT, FOREIGN = call(token="valid"), call(token="next-key"), call(token="foreign-key")
"""Tokens signed by the key before the rotation, by the key after it, and by a key of no issuer."""

OTHERS, NEXT_OTHERS = call(token="wrong-audience"), call(token="next-key-wrong-audience")
"""Tokens for another audience, signed by the key before the rotation, and by the key after it."""

UNKNOWN_KEY = bad_token("Jwks doesn't have key to match kid or alg from Jwt")
WRONG_SIGNATURE = bad_token("Jwt verification fails")
TOKEN_NEEDED = Settle(call(), NO_TOKEN, before=SHOWS_SECRET)


def by_url(name: str) -> str:
    """The policy whose keys are fetched: `old`, `both`, `next`, or those of the issuer that is `down` or `rotating`."""
    return f"front/keys/by-url-{name}.yaml"


def publishes(name: str) -> str:
    """What the `rotating` issuer publishes at its one URL: the `old` key, `both`, the `next` one, or `nothing`."""
    return f"front/keys/publishes-{name}.yaml"


def known(probe) -> Settle:
    """The keys have been fetched: this token passes."""
    return Settle(probe, SHOWS_SECRET)
