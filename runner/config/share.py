"""A share of requests, as a person writes it: `1%`, `0.5 %` or `0.01`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from runner.config.numbers import Number


def share(value: object) -> object:
    """The number of a text that ends with `%`; any other value as it is.

    Raises:
        ValueError: what is before the `%` is no number.
    """
    if not isinstance(value, str) or not value.strip().endswith("%"):
        return value
    text = value.strip()[:-1].strip()
    try:
        return float(text) / 100
    except ValueError:
        raise ValueError(f"{text!r} is no number; write for instance 1% or 0.01") from None


Share = Annotated[Number, BeforeValidator(share)]
"""The type of a share in the settings."""
