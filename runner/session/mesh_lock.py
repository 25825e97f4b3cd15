"""Whose turn it is: cases in namespaces of their own share the mesh, mesh-wide ones exclude everything else.

A reader-writer lock between processes (SQLite file locks: the operating system gives them back when a process dies),
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
        sweep: puts back what a process of the given name left; called before anyone goes on after a holder of the
            exclusive lock died, since its change may still be in force.
    """

    def __init__(self, folder: Path, holder: str, sweep: Callable[[str], None] = lambda _: None) -> None:
        self._gate = FileLock(folder / "gate.lock")
        self._lock = ReadWriteLock(folder / "turn.lock")
        self._marker = folder / "exclusive-holder"
        self._recovering = FileLock(folder / "mending.lock")
        self._holder = holder
        self._sweep = sweep

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Beside other shared turns."""
        self._acquire_shared()
        try:
            self._recover()
            yield
        finally:
            self._lock.release()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Gives a shared turn to the others meanwhile: for a wait that nothing in the mesh has a say in."""
        self._lock.release()
        try:
            yield
        finally:
            self._acquire_shared()
            self._recover()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Alone. The marker tells the others when this process dies in its turn."""
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
