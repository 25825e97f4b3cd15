"""A disk that gets full: imported in a process, the journal takes `FAKE_ROOM` more bytes there, and no report fits.

With `FAKE_RECORD`, the record of the target is written too, as on a cluster, where no stand-in takes its place.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from reports import files
from reports.record import journal
from runner.config import folders
from runner.session.run_context import RunContext
from runner.target.descriptor import TargetDescriptor

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


def kept(self: RunContext) -> TargetDescriptor | None:
    """The stand-in, once its record is written."""
    made = stand_in(self)
    if made:
        made.save(self.folder / folders.TARGET)
    return made


stand_in = RunContext._stand_in
if os.environ.get("FAKE_RECORD"):
    RunContext._stand_in = kept  # type: ignore[method-assign]
