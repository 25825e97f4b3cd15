"""Types of numbers in settings. The library reads true as 1; a user does not mean that by `workers = true`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("float_type")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
"""The type of every whole number in the settings."""
Number = Annotated[float, BeforeValidator(_number)]
"""The type of every other number in the settings."""
