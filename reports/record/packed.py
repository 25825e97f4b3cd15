"""What a run has written in full while it went on, and keeps compressed by gzip afterwards.

The plain file is the only one as long as a run goes, so that what kills it costs nothing. At the end the compressed one
is written whole, and only then the plain one is removed: where both are there, the plain one counts.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from reports import files

SUFFIX = ".gz"
_GZIP = 16 + zlib.MAX_WBITS
_PART = 16 * 1024


def packed(path: Path) -> Path:
    """Where the compressed form of a file is kept."""
    return path.with_name(path.name + SUFFIX)


def exists(path: Path) -> bool:
    """Whether the file is there, in one form or the other."""
    return path.is_file() or packed(path).is_file()


def pack(path: Path) -> None:
    """Compress a file in place; one that is compressed already, or is not there, is left alone.

    The same content gives the same bytes.

    Raises:
        OSError: the compressed file cannot be written; the plain one is kept then.
    """
    if not path.is_file():
        return
    data = gzip.compress(path.read_bytes(), 6, mtime=0)
    with files.whole(packed(path)) as file:
        file.write(data)
    path.unlink()


def unpack(path: Path) -> None:
    """Make the plain file again, which can be appended to; one that is plain, or is not there, is left alone.

    Raises:
        OSError: it cannot be written; the compressed one is kept then.
    """
    if path.is_file() or not packed(path).is_file():
        return
    data, _ = content(path)
    with files.whole(path) as file:
        file.write(data)
    packed(path).unlink()


def content(path: Path) -> tuple[bytes, bool]:
    """The content of a file in whichever form it is there, and whether it is whole.

    Of a compressed file that is damaged, what comes before the damage is returned.

    Raises:
        OSError: it is there in neither form, or cannot be read.
    """
    if path.is_file() or not packed(path).is_file():
        return path.read_bytes(), True
    rest = zlib.decompressobj(_GZIP)
    found = []
    with packed(path).open("rb") as file:
        try:
            while part := file.read(_PART):
                found.append(rest.decompress(part))
        except zlib.error:
            return b"".join(found), False
    return b"".join(found), rest.eof
