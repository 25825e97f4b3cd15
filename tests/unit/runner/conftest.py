"""Fixtures of the tests of the plugin."""

from __future__ import annotations

import pytest
import runner_fakes
from inner_pytest import Inner


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    """An inner pytest; what it sets in modules is restored."""
    for module, name, value in runner_fakes.STAND_INS:
        monkeypatch.setattr(module, name, value)
    return Inner(pytester, monkeypatch)
