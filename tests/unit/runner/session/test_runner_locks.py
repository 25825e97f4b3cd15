"""The mesh lock: shared by several processes, or held by one alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runner.session.mesh_lock import MeshLock

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[4]
CHILD = """
import os, sys, time
from pathlib import Path
from runner.session.mesh_lock import MeshLock
folder, mode, end = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with getattr(MeshLock(folder, "child"), mode)():
    (folder / "in").touch()
    deadline = time.monotonic() + 60  # a test that was killed leaves no process behind
    while not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    if end == "die":
        os._exit(9)
    (folder / "out").touch()
"""


class Child:
    """Another process, which holds the lock until it gets a signal file, or dies."""

    def __init__(self, folder: Path, mode: str, end: str = "leave") -> None:
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), mode, end], env=environment)
        deadline = time.monotonic() + 60
        while not (folder / "in").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def leave(self) -> int:
        (self.folder / "go").touch()
        return self.process.wait(60)


@pytest.mark.parametrize(
    ("theirs", "ours", "waits"),
    [
        ("shared", "shared", False),
        ("shared", "exclusive", True),
        ("exclusive", "shared", True),
        ("exclusive", "exclusive", True),
    ],
)
def test_which_process_waits_for_which(tmp_path: Path, theirs: str, ours: str, waits: bool) -> None:
    child = Child(tmp_path, theirs)
    entered: list[bool] = []

    def enter() -> None:
        with getattr(MeshLock(tmp_path, "us"), ours)():
            entered.append((tmp_path / "out").exists())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(0.4)
    assert bool(entered) is not waits
    assert child.leave() == 0
    thread.join(20)
    assert entered == [waits], "the one that had to wait got the lock only after the other had released it"


def test_what_a_dead_holder_of_the_mesh_left_is_swept_first(tmp_path: Path) -> None:
    child = Child(tmp_path, "exclusive", end="die")
    assert child.leave() == 9
    swept: list[str] = []
    with MeshLock(tmp_path, "us", swept.append).shared():
        assert swept == ["child"]
    with MeshLock(tmp_path, "us", swept.append).shared():
        assert swept == ["child"], "once"


def test_a_holder_that_released_the_lock_needs_no_sweep(tmp_path: Path) -> None:
    swept: list[str] = []
    with MeshLock(tmp_path, "us", swept.append).exclusive():
        pass
    with MeshLock(tmp_path, "us", swept.append).exclusive():
        assert swept == []


def test_an_exception_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), MeshLock(tmp_path, "us").exclusive():
        _ = 1 / 0
    assert Child(tmp_path, "exclusive").leave() == 0


def test_a_released_lock_goes_to_the_process_that_waits_for_it_alone(tmp_path: Path) -> None:
    ours = MeshLock(tmp_path, "us")
    later: list[Child] = []
    thread = threading.Thread(target=lambda: later.append(Child(tmp_path, "exclusive")))
    with ours.shared():
        with ours.released():
            assert Child(tmp_path, "exclusive").leave() == 0
        for name in ("in", "go", "out"):
            (tmp_path / name).unlink()
        thread.start()
        thread.join(0.6)
        assert later == [], "it is ours again"
    thread.join(20)
    assert later[0].leave() == 0


def test_what_a_process_left_that_died_during_a_release_is_swept(tmp_path: Path) -> None:
    swept: list[str] = []
    ours = MeshLock(tmp_path, "us", swept.append)
    with ours.shared(), ours.released():
        assert Child(tmp_path, "exclusive", end="die").leave() == 9
        assert swept == []
    assert swept == ["child"]
