"""The script that the lab's suite is compared with."""

from __future__ import annotations

import re

import pytest

from benchmarks.common import ROOT
from benchmarks.lab import LAB
from clients.identity.tokens import MINTED

pytestmark = pytest.mark.unit


def test_the_script_checks_every_probed_case_of_the_lab() -> None:
    """A benchmark of other checks compares nothing, and ends with an error after minutes."""
    text = (ROOT / "benchmarks" / "lab.sh").read_text(encoding="utf-8")
    ids = [case.id for module in LAB.modules for case in LAB.cases(module)]
    assert len(ids) > 40
    missing = [one for one in ids if one not in text and not _in_a_loop(one, text)]
    assert not missing


def test_the_script_is_given_every_token_that_it_names() -> None:
    """The shell goes on without one: the check sends something else, and does not end for hours."""
    text = (ROOT / "benchmarks" / "lab.sh").read_text(encoding="utf-8")
    named = {*re.findall(r"\$\(bearer ([a-z0-9-]+)\)", text)}
    for kinds in re.findall(r"for kind in ([a-z0-9 -]+); do", text):
        named |= set(kinds.split())
    assert {"valid", "malformed", "just-expired"} <= named
    assert named <= set(MINTED)


def _in_a_loop(case: str, text: str) -> bool:
    control, _, kind = case.rstrip("]").partition("[")
    return f"{control}[$kind]" in text and f" {kind}" in text
