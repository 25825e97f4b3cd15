"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes its name only when the block has ended without an error.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def real(path: Path) -> Path:
    """The path without links and relative parts; one of a loop of links stays, and cannot be read."""
    return Path(os.path.realpath(path))


def json_of(text: bytes | str) -> Any:
    """The values of a text in JSON, of a file that another program may have written or damaged.

    Raises:
        ValueError: it is no JSON, is nested more deeply than Python reads, or has a number that is none or too large.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(text: str) -> float:
    """NaN and Infinity, which Python's reader takes and JSON does not have."""
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def write_text(path: Path, text: str) -> None:
    """Write a whole file; characters that UTF-8 cannot hold become `?`.

    Raises:
        OSError: it cannot be written.
    """
    with whole(path) as file:
        file.write(text.encode(errors="replace"))
