"""The cache of built parts: folders with names by the content that they were built from.

A part is built in a private folder and then renamed to its final name, so that it exists completely or not at all,
even when two builds race or one is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

COMPLETE = ".complete.json"
UNUSED_DAYS = 30


def cache_root() -> Path:
    """`$MESHPROOF_CACHE_DIR`, else `$XDG_CACHE_HOME/meshproof`, else `~/.cache/meshproof`."""
    if own := os.environ.get("MESHPROOF_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "meshproof"


def digest(items: Iterable[str | Path]) -> str:
    """Twelve hex digits over strings and file contents, in the order given."""
    state = hashlib.sha256()
    for item in items:
        state.update(item.read_bytes() if isinstance(item, Path) else item.encode())
        state.update(b"\0")
    return state.hexdigest()[:12]


@dataclass(frozen=True)
class Part:
    """One built thing.

    Attributes:
        name: for instance `kubernetes` or `images-1.31`.
        key: digest of everything that it is built from.
        make: fills an empty folder; may return facts to keep with the part.
    """

    name: str
    key: str
    make: Callable[[Path], dict[str, str] | None]


class PartStore:
    """The folder of parts."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root() / "testbed" / "parts"

    def path(self, part: Part) -> Path:
        """Folder of the part, whether it exists or not."""
        return self.root / f"{part.name}-{part.key}"

    def has(self, part: Part) -> bool:
        """Whether the part exists completely."""
        return (self.path(part) / COMPLETE).is_file()

    def get(self, part: Part) -> Path:
        """The part's folder. A missing part is built; a failed build leaves nothing."""
        place = self.path(part)
        if self.has(part):
            (place / COMPLETE).touch()  # time of the last use, for `sweep`
            return place
        self.root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{part.name}-", dir=self.root))
        try:
            work.chmod(0o755)  # mkdtemp gives fewer rights than root file systems need
            facts = part.make(work) or {}
            (work / COMPLETE).write_text(json.dumps({"name": part.name, "key": part.key, **facts}, indent=1))
            if place.exists():
                shutil.rmtree(place)
            work.rename(place)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        return place

    def sweep(self) -> None:
        """Remove what killed builds left, and parts that were not used for 30 days. Needs the lock."""
        oldest = time.time() - UNUSED_DAYS * 86400
        for entry in self.root.iterdir() if self.root.exists() else ():
            mark = entry / COMPLETE
            if entry.name.startswith(".") or (mark.exists() and mark.stat().st_mtime < oldest):
                shutil.rmtree(entry, ignore_errors=True)
