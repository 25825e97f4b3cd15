"""A disk that gets full: imported in a process, the journal takes `FAKE_ROOM` more bytes there, and no report fits."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from reports import files, journal

room = int(os.environ.get("FAKE_ROOM", "0"))
whole_write = os.write


def write(descriptor: int, data: bytes) -> int:
    """As a file system does: a part where not all fits, an error where nothing does."""
    global room
    fits, room = min(room, len(data)), max(0, room - len(data))
    if not fits:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return whole_write(descriptor, data[:fits])


def whole(path: Path) -> None:
    """No room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


class _Os:
    def __getattr__(self, name: str) -> Any:
        return write if name == "write" else getattr(os, name)


journal.os = _Os()  # type: ignore[assignment]
if os.environ.get("FAKE_REPORTS", "full") == "full":
    files.whole = whole  # type: ignore[assignment]
