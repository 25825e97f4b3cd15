"""What a value of a file or an option must be, in words for its author: the library's words are of Python's types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any

_WORDS = {
    "missing": "it is missing",
    "string": "it must be text",
    "bool": "it must be true or false",
    "int": "it must be a whole number",
    "float": "it must be a number",
    "list": "it must be a list",
    "tuple": "it must be a list",
    "dict": "it must be a table of names and values",
    "model": "it must be a table of names and values",
    "dataclass": "it must be a table of names and values",
    "path": "it must be a path",
}
"""By the beginning of an error's type: `int_type`, `int_parsing` and `int_from_float` are of one kind."""
_LONGEST = 120
"""Characters of a value that are quoted."""
_WRONG_TYPE = re.compile(r"missing|([a-z]+)_(?:type|attributes_type|exact_type|parsing|from_float)")


def in_words(error: Mapping[str, Any]) -> str:
    """`it must be a number`.

    Args:
        error: one of pydantic's (`ErrorDetails`), with `type` and `msg`.
    """
    if error["type"].startswith("date_"):
        return "it must be a date, for instance 2026-12-31"
    kind = _WRONG_TYPE.fullmatch(error["type"])
    if kind and (words := _WORDS.get(kind[1] or "missing")):
        return words
    text = re.sub(r"^(Value|Assertion) error, ", "", error["msg"])
    return re.sub(r"^(Input|String) should (be|have|match)\b", r"it must \2", text)


def quoted(value: Any) -> str:
    """A value of a file as the file has it (TOML), in one line, without the end of a long one."""
    text = _written(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return repr(value)
