"""Lanes of parts: side by side, each in its order, and none goes on when another has failed."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed import lanes
from testbed.build.command import BuildError, run
from testbed.store import Part, PartStore

pytestmark = pytest.mark.unit


def parts(folder: Path) -> Any:
    return SimpleNamespace(get=PartStore(folder).get)


def test_lanes_are_at_work_at_once_and_each_keeps_its_order(tmp_path: Path) -> None:
    both, made = threading.Barrier(2, timeout=5), list[str]()

    def part(name: str, meets: bool = False) -> Part:
        def make(_: Path) -> None:
            if meets:
                both.wait()
            made.append(name)

        return Part(name, "1", make)

    lanes.run([[part("a1", meets=True), part("a2")], [part("b1", meets=True), part("b2")]], parts(tmp_path))
    assert sorted(made) == ["a1", "a2", "b1", "b2"]
    assert made.index("a1") < made.index("a2")
    assert made.index("b1") < made.index("b2")


def test_a_failure_ends_the_commands_of_the_other_lane_and_begins_no_more(tmp_path: Path) -> None:
    begun, later = threading.Event(), list[str]()

    def fails(_: Path) -> None:
        assert begun.wait(5)
        raise BuildError("broken")

    def takes_long(_: Path) -> None:
        begun.set()
        run(["sleep", "60"], what="sleeping", log=tmp_path / "log")

    long_lane = [Part("long", "1", takes_long), Part("later", "1", lambda _: later.append("made"))]
    before = time.monotonic()
    with pytest.raises(BuildError, match="broken"):
        lanes.run([[Part("bad", "1", fails)], long_lane], parts(tmp_path / "store"))
    assert time.monotonic() - before < 30
    assert not later
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == []
