"""The table of pinned skips: what a run writes is what the end-to-end test reads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

PLACE = Path(__file__).parents[2] / "e2e" / "profiles" / "pinned.py"


def _load():
    spec = importlib.util.spec_from_file_location("pinned_skips", PLACE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


pinned = _load()


def case(name, reason, verdict="skip"):
    return {"id": name, "control": name.partition("[")[0], "verdict": verdict, "reason": reason}


REPORT = {
    "cases": [
        case("A-1[x]", "lacks iap"),
        case("A-1[y]", "same reason as A-1[x]"),
        case("B-2", "needs Google Cloud, and more"),
        case("C-3", "", "pass"),
    ]
}
EMPTY = f"# Page\n{pinned.BEGIN}\n{pinned.END}\nrest\n"


def test_what_is_written_is_read_back_and_of_one_profile_only():
    skips = pinned.of_report(REPORT)
    assert skips == {("lacks iap", "A-1"): 2, ("needs Google Cloud, and more", "B-2"): 1}
    text = pinned.written("nodes", skips, EMPTY)
    text = pinned.written("kind", pinned.of_report({"cases": [case("D-4", "lacks a log")]}), text)
    assert pinned.pinned("nodes", text) == skips
    assert pinned.pinned("kind", text) == {("lacks a log", "D-4"): 1}
    assert pinned.written("nodes", skips, text) == text, "the rows of a profile stay where they are"
    assert text.startswith("# Page\n")
    assert text.endswith("rest\n")


def test_the_page_has_the_table():
    text = pinned.DOCUMENT.read_text(encoding="utf-8")
    assert pinned.pinned("no such profile", text) == {}
