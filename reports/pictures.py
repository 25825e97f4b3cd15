"""Pictures of a run: read from its folder, and only where they are what the evidence says they are."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path

from clients.model.evidence import Picture
from reports import files

LIMIT_BYTES = 512 * 1024
"""A larger picture is named in the page, not put into it: one file of the size of a page is the point of it."""


def content(folder: Path | None, picture: Picture) -> bytes:
    """The file's bytes; empty where it is not there, is not below the folder, or is not the one that was taken."""
    if folder is None:
        return b""
    file = files.real(folder / picture.file)
    try:
        data = file.read_bytes() if file.is_relative_to(files.real(folder)) else b""
    except OSError:
        return b""
    return data if hashlib.sha256(data).hexdigest() == picture.sha256 else b""


def embedded(folder: Path | None, picture: Picture) -> str:
    """It as a `data:` address; empty where it cannot be, or is too large to be."""
    data = content(folder, picture)
    if not data or len(data) > LIMIT_BYTES:
        return ""
    return f"data:image/png;base64,{b64encode(data).decode()}"
