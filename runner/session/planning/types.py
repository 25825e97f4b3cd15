"""Values of a suite that are of another type than their field: Python takes them, and a run ends with them, or worse.

A text in place of a tuple is as many manifests as it has letters; a status in place of an expectation is never met.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "True or False", type(None): "None"}


def wrong_type(value: Any) -> str:
    """What in a dataclass has another type than it states: `before of Case is 200, and must be Expectation`.

    Empty where each field is as stated.
    """
    kind: Any = type(value)
    for field, wanted in _hints(kind).items():
        own = getattr(value, field)
        if not _is(own, wanted):
            return f"{field} of {kind.__name__} is {own!r:.60}, and must be {_words(wanted)}"
        for one in own if isinstance(own, tuple | frozenset) else (own,):
            if is_dataclass(one) and not isinstance(one, type) and (found := wrong_type(one)):
                return found
    return ""


@cache
def _hints(kind: Any) -> dict[str, Any]:
    stated = typing.get_type_hints(kind)
    return {field.name: stated[field.name] for field in fields(kind)}


def _is(value: Any, wanted: Any) -> bool:
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any or origin is Callable:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_is(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if origin is tuple and inner[-1] is not Ellipsis:
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(_is, value, inner))
    if origin in (tuple, frozenset):
        return isinstance(value, origin) and all(_is(one, inner[0]) for one in value)
    if origin is not None:
        return isinstance(value, origin)
    if wanted in (int, float):
        return isinstance(value, int | wanted) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _words(wanted: Any) -> str:
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType, typing.Literal):
        return " or ".join(_words(one) for one in inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"a tuple of {' and '.join(map(_words, inner))}"
    if origin in (tuple, frozenset):
        return f"a {origin.__name__} of {_words(inner[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return "a dict"
    return str(_WORDS.get(wanted) or getattr(wanted, "__name__", wanted))
