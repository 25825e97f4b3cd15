"""Texts in settings that must have a form, which is said in words: the library's own message quotes its pattern."""

from __future__ import annotations

import re

from pydantic import AfterValidator

NAME = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?)?"
"""Of objects of Kubernetes, or nothing."""
OF_NAME = "a name of small letters, digits and hyphens"
VERSION = r"(\d+\.\d+(\.\d+)?)?"
OF_VERSION = "a version, for instance 1.31 or 1.31.1"


def formed(pattern: str, words: str) -> AfterValidator:
    """A text that matches the whole pattern.

    Args:
        words: what it must be, after `it must be`.
    """
    whole = re.compile(pattern)

    def check(text: str) -> str:
        if not whole.fullmatch(text):
            raise ValueError(f"it must be {words}")
        return text

    return AfterValidator(check)
