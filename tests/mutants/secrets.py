"""Mutants that would reveal a token: redaction that finds nothing, and a page that shows its token."""

from __future__ import annotations

import re

from clients.model import redact
from tests.mutants.mutant import Mutant, Object, of_kind

_NOTHING = re.compile(r"(?!)()()()")
"""Matches nowhere; the groups are those that replacements name."""
_PATTERNS = ("_JWT", "_AUTHORIZATION", "_BEARER", "_FIELD")
_SHOWN = 'at("email").textContent = '


class RedactionBlind(Mutant):
    """Everything is recorded without redaction. It is never undone: it ends with the process."""

    def __init__(self) -> None:
        for name in _PATTERNS:
            setattr(redact, name, _NOTHING)


def page_shows_token(objects: list[Object]) -> None:
    """The page prints the token before the name in it."""
    for body in of_kind(objects, "ConfigMap", "frontend"):
        body["data"]["envoy.yaml"] = body["data"]["envoy.yaml"].replace(_SHOWN, f'{_SHOWN}token + " " + ')
