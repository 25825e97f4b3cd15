"""Each mutant of the shop costs the right cells of its tables their pass, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from kills import is_killed, of, spoilt

from tests.mutants.entry import Entry
from tests.mutants.registry import of_suite

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("entry", of(of_suite("suites/boutique")))
def test_mutant_is_killed(entry: Entry, tmp_path: Path) -> None:
    is_killed(spoilt(tmp_path, entry), entry)
