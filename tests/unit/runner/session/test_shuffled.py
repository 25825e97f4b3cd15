"""In a random order, what is no case comes after the cases of its module, as it may end what they need."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runner.session.planning import selection

pytestmark = pytest.mark.unit


def item(module: str, name: str, *, case: bool) -> Any:
    names = ("case", "prove") if case else ("observe", "stage")
    return SimpleNamespace(nodeid=f"suites/{module}.py::{name}", fixturenames=names)


def test_what_is_no_case_comes_after_the_cases_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "stage_of", lambda _: None)
    items = [item(module, f"case[{number}]", case=True) for module in "ab" for number in range(6)]
    items[6:6] = [item("a", "ends_the_job", case=False), item("a", "is_complete", case=False)]
    orders = {tuple(one.nodeid for one in selection.shuffled(items, seed)) for seed in range(8)}
    assert len(orders) == 8
    for order in orders:
        of_a = [name for name in order if name.startswith("suites/a")]
        assert of_a[-2:] == ["suites/a.py::ends_the_job", "suites/a.py::is_complete"]
        assert sorted(order) == sorted(one.nodeid for one in items)


def test_a_stage_with_steps_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "stage_of", lambda _: SimpleNamespace(steps=("a step",)))
    items = [item("a", f"case[{number}]", case=True) for number in range(6)]
    assert selection.shuffled(items, 3) == items
