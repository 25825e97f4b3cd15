"""The kernel's limit on inotify instances, which many sidecars of one user need raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import common

INOTIFY, PER_SIDECAR, OTHERS = Path("/proc/sys/fs/inotify/max_user_instances"), 3, 64
"""The kernel's limit on inotify instances of one user, the number per sidecar, and a reserve for other programs."""


@contextmanager
def room(pods: int) -> Iterator[None]:
    """Raise the inotify limit for this many sidecars: all have the same user id, and the default is enough for 42."""
    before, wanted = int(INOTIFY.read_text()), pods * PER_SIDECAR + OTHERS
    if wanted <= before:
        yield
        return
    common.progress(f"{INOTIFY} is {before}, and {wanted} while this runs")
    INOTIFY.write_text(f"{wanted}\n")
    try:
        yield
    finally:
        INOTIFY.write_text(f"{before}\n")
