"""The cache of built parts: whole or not at all, and never a wrong one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from testbed.store import COMPLETE, Part, PartStore, digest

pytestmark = pytest.mark.unit


def part(make, key="abc") -> Part:
    return Part("thing", key, make)


def test_a_part_is_made_once(tmp_path):
    made = []

    def make(target: Path) -> dict[str, str]:
        made.append(target)
        (target / "file").write_text("content")
        return {"fact": "kept"}

    store = PartStore(tmp_path)
    first, second = store.get(part(make)), store.get(part(make))
    assert first == second
    assert len(made) == 1
    assert (first / "file").read_text() == "content"
    assert json.loads((first / COMPLETE).read_text())["fact"] == "kept"


def test_another_key_is_another_part(tmp_path):
    store = PartStore(tmp_path)
    assert store.get(part(lambda _: None, "a")) != store.get(part(lambda _: None, "b"))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_build_that_stops_half_way_leaves_nothing(tmp_path, error):
    def make(target: Path) -> None:
        (target / "half").write_text("")
        raise error

    store = PartStore(tmp_path)
    with pytest.raises(error):
        store.get(part(make))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_the_mark_of_a_whole_part_is_built_again(tmp_path):
    store = PartStore(tmp_path)
    place = store.path(part(lambda _: None))
    place.mkdir(parents=True)
    (place / "half").touch()
    store.get(part(lambda target: (target / "whole").touch()))
    assert sorted(path.name for path in place.iterdir()) == [COMPLETE, "whole"]


def test_sweep_takes_what_a_killed_build_left_and_what_nothing_used_for_long(tmp_path):
    store = PartStore(tmp_path)
    used, unused = store.get(part(lambda _: None, "used")), store.get(part(lambda _: None, "unused"))
    (tmp_path / ".thing-x1").mkdir()
    long_ago = time.time() - 40 * 86400
    os.utime(unused / COMPLETE, (long_ago, long_ago))
    store.sweep()
    assert list(tmp_path.iterdir()) == [used]


def test_digest_tells_order_and_boundaries_apart(tmp_path):
    file = tmp_path / "file"
    file.write_text("one")
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(["a", "b"]) != digest(["b", "a"])
    before = digest([file])
    file.write_text("two")
    assert digest([file]) != before
