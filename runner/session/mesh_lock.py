"""The mesh lock: stages in namespaces of their own share it, stages that change the whole mesh hold it alone.

A reader-writer lock between processes (SQLite file locks: the operating system releases them when a process dies),
behind a gate that keeps a stream of readers from starving a waiting writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, ReadWriteLock


class MeshLock:
    """The lock of one run, as one process sees it.

    Args:
        folder: private folder of the run, the same in all its processes.
        holder: name of this process (`gw0`).
        sweep: removes what a process of the given name left; called after a holder of the exclusive lock died, before
            any other process continues, since its change may still be in force.
    """

    def __init__(self, folder: Path, holder: str, sweep: Callable[[str], None] = lambda _: None) -> None:
        self._gate = FileLock(folder / "gate.lock")
        self._lock = ReadWriteLock(folder / "turn.lock")
        self._marker = folder / "exclusive-holder"
        self._recovering = FileLock(folder / "recovery.lock")
        self._holder = holder
        self._sweep = sweep

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock together with other processes that share it."""
        self._acquire_shared()
        try:
            self._recover()
            yield
        finally:
            self._lock.release()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Release a shared lock meanwhile: for a wait that does not depend on the state of the mesh."""
        self._lock.release()
        try:
            yield
        finally:
            self._acquire_shared()
            self._recover()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock alone. A marker that remains shows the others that this process died while it held the lock."""
        with self._gate:
            self._lock.acquire_write()
        try:
            self._recover()
            self._marker.write_text(self._holder, encoding="utf-8")
            yield
            self._marker.unlink(missing_ok=True)
        finally:
            self._lock.release()

    def _acquire_shared(self) -> None:
        with self._gate:  # waits while a writer waits
            self._lock.acquire_read()

    def _recover(self) -> None:
        with self._recovering:
            if self._marker.exists():
                self._sweep(self._marker.read_text(encoding="utf-8"))
                self._marker.unlink()
