"""What is pinned for one release of the proxy is a known defect of it, which the documents tell."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from clients.model.case import Case

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
MODULES = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.glob("suites/*/test_*.py"))
CASES: list[Case] = [case for name in MODULES for case in getattr(importlib.import_module(name), "CASES", ())]
PINNED = [case for case in CASES if case.expect_of]
ROWS = re.findall(
    r"^\*\*(\S+)\*\*, Envoy (\d+\.\d+\.\d+)$", (ROOT / "docs/deviations.md").read_text(encoding="utf-8"), re.M
)


@pytest.mark.parametrize("stated", PINNED, ids=[case.id for case in PINNED])
def test_it_is_another_outcome_of_the_same_kind(stated: Case) -> None:
    """A refusal that becomes an answer would be another control."""
    for _, expect in stated.expect_of:
        assert expect.text != stated.expect.text
        assert (expect.kinds, expect.status, expect.refuses) == (
            stated.expect.kinds,
            stated.expect.status,
            stated.expect.refuses,
        )


def test_the_documents_have_a_row_for_each_control_and_release_and_no_other() -> None:
    assert {(case.control, version) for case in PINNED for version, _ in case.expect_of} == set(ROWS)
    assert ROWS
