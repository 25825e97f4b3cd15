"""Every module of every suite can be loaded: one that cannot takes its whole topic out of a run."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
MODULES = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.glob("suites/**/*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_loaded(name: str) -> None:
    assert importlib.import_module(name).__doc__ or name.endswith("__init__")
