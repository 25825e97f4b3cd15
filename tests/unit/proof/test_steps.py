"""The list of proof steps, and what documents say of it."""

from __future__ import annotations

import inspect
import re

import pytest

from clients.proof import proving
from clients.proof.steps import denial, proof_steps
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs" / "adding-a-proof.md").read_text(encoding="utf-8")


def test_every_step_is_in_the_table_of_what_a_case_needs() -> None:
    table = re.findall(r"^\| .*$", inspect.getsource(proof_steps), re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for name, value in vars(proof_steps).items() if value in proof_steps.PROOFS}


def test_the_page_shows_the_signature_and_a_step_as_they_are() -> None:
    signature, step = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert signature in inspect.getsource(proving)
    assert step == inspect.getsource(denial.external_server_silent)
