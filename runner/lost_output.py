"""Standard output and error that a program outlives: it goes on where their reader has gone, or a disk is full.

Otherwise `meshproof run | head` would end a run before its reports, with the exit code of one that does not conform.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import TYPE_CHECKING, TextIO

from clients.model.exit_code import ExitCode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LEFT = frozenset({errno.EPIPE, errno.EIO, errno.ECONNRESET})
"""The reader has gone (EIO: the terminal has): it wants no more, and nothing is missing."""
_failed: dict[int, str] = {}
"""File descriptor → why something that was written to it is missing."""


class _Tolerant(io.FileIO):
    """A file whose writer never fails; what cannot be written is left out."""

    def write(self, data: ReadableBuffer, /) -> int:
        """As much as the file takes; all of it, by what it returns, where it takes no more."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _LEFT:
                _failed.setdefault(self.fileno(), error.strerror or type(error).__name__)
            return memoryview(data).nbytes


def tolerate() -> None:
    """Replace both streams of this process. One that is closed from the beginning stays so.

    Characters that a terminal's encoding does not have become `?`.
    """
    sys.stdout, sys.stderr = _tolerant(sys.stdout), _tolerant(sys.stderr)


def settled(code: int) -> int:
    """The exit code of a process that ended with `code`: 2 where that is 0 and a part of the output is missing."""
    for stream in (sys.stdout, sys.stderr):
        if stream:  # None where it was closed
            stream.flush()
    if why := _failed.get(1):
        print(f"meshproof: the output could not be written: {why}; make room there", file=sys.stderr)
        return code or ExitCode.BAD_INPUT
    return code


def _tolerant(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # closed, or replaced by another
    stream.flush()
    raw = _Tolerant(stream.fileno(), "wb", closefd=False)
    unbuffered = isinstance(stream.buffer, io.RawIOBase)  # by PYTHONUNBUFFERED
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
