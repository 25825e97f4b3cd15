"""A number with its noun, as people write it."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 case`, `2 cases`.

    Args:
        plural: of the noun; without it, the noun with an s.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
