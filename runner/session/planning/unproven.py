"""Cases that no test proves, and tests that prove none: without a word, a run would lack their controls."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clients.model.case import Case
from clients.model.refused import RefusedManifest
from clients.model.stage import Stage
from clients.proof.table import Table

_LISTS: Mapping[str, tuple[str, type]] = {
    "CASES": ("case", Case),
    "REFUSED": ("refused", RefusedManifest),
    "TABLES": ("table", Table),
}
"""Name of a module's list → the argument of the tests that prove what is in it, and the type of that."""
_PROVE = {"prove": "CASES", "prove_refused": "REFUSED", "prove_table": "TABLES"}


def problem_of(item: pytest.Item, *, proves: bool) -> tuple[str, str] | None:
    """What keeps a test from proving what it is for, and what to do; None for nothing.

    Args:
        proves: whether the test has a control.
    """
    names, module = getattr(item, "fixturenames", ()), getattr(item, "module", None)
    used = next((name for name in _PROVE if name in names), "")
    if used and not proves and _given(item):
        return f"{_PROVE[used]} has {_given(item)!r:.60}, which is no {_LISTS[_PROVE[used]][1].__name__}", "remove it"
    if used and not proves and not hasattr(module, _PROVE[used]):
        return f"it proves nothing: its module states no {_PROVE[used]}", f"name the list {_PROVE[used]}"
    if used and proves and not isinstance(getattr(module, "STAGE", None), Stage):
        return "its module states no STAGE", "write STAGE = Stage(…), without a comma at its end"
    return None


def _given(item: pytest.Item) -> object:
    """What a test was given of one of the lists; None for nothing."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    return next((given[argument] for argument, _ in _LISTS.values() if argument in given), None)


def unused(module: pytest.Module, collected: list[pytest.Item | pytest.Collector]) -> str:
    """Which list of a module no test of it takes; empty where each is taken, and where that is not known."""
    if not isinstance(getattr(module.obj, "STAGE", None), Stage):
        return ""
    if any(not isinstance(one, pytest.Function) for one in collected):
        return ""
    taken = {name for one in collected if isinstance(one, pytest.Function) for name in one.fixturenames}
    for listed, (argument, kind) in _LISTS.items():
        stated = getattr(module.obj, listed, ())
        ours = isinstance(stated, list | tuple) and any(isinstance(one, kind) for one in stated)
        if ours and argument not in taken:
            return f"no test takes its {listed}: add `def test_{argument}({argument}, prove…)`"
    return ""
