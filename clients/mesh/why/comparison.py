"""What a comparison says of a request: it matches, it does not and why, or that is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clients.mesh.why.request import CaseView


@dataclass(frozen=True)
class Match:
    """Whether something matches; None where that is not known. `why` says what does not match."""

    yes: bool | None
    why: str = ""


UNKNOWN, YES = Match(None), Match(True)


Field = Callable[[CaseView, list[str]], Match]


def like(pattern: str, value: str) -> bool:
    """Whether a string matches: exactly, by prefix (`a*`), by suffix (`*a`), or by being there (`*`)."""
    if pattern == "*":
        return bool(value)
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    return value == pattern
