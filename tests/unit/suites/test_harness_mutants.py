"""The mutants of the harness: every one still applies, so that their run says something (`tests/harness_mutants`)."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import pytest

from tests.harness_mutants.mutant import HarnessMutant
from tests.harness_mutants.mutants import MUTANTS
from tests.harness_mutants.run import COPIED, ROOT, nearest

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_it_applies_and_is_python(mutant: HarnessMutant) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    patched = mutant.patched(text)
    assert ast.dump(ast.parse(patched)) != ast.dump(ast.parse(text))


def test_names_are_unique_and_there_are_enough() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 25


def test_the_copy_in_which_the_tests_run_has_all_that_they_read() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "unit").rglob("*.py")]
    read = {name for text in texts for name in re.findall(r'\bROOT / "([^"/]+)', text)}
    assert "docs" in read
    assert read <= set(COPIED)


def test_the_tests_of_the_same_file_are_asked_first() -> None:
    wrong = HarnessMutant("m", "clients/proof/steps/decided.py", "a", "b", ("model", "proof"))
    assert nearest(wrong, ROOT) == ["tests/unit/proof/test_decided.py"]
    assert nearest(replace(wrong, file="clients/proof/no_such.py"), ROOT) == []
