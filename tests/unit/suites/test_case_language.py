"""The page about the language of cases is complete, and its module is one that is proven in every run."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from clients.model import expect
from clients.model.case import Case
from clients.model.log_expectations import ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.probe import Dial, Probe
from clients.model.refused import RefusedManifest
from clients.model.stage import Settle, Stage, Step
from clients.model.token import Token
from runner.config.settings import ROOT, Settings
from runner.session.planning.collect_plan import collect

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs" / "case-language.md").read_text(encoding="utf-8")
MODULE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
NOT_STATED = {"status", "received", "other", "infrastructure", "look", "timeout", "closed"}
"""Kinds that no suite names: they have functions of their own, or cannot be expected."""


def test_the_module_is_that_of_the_suite() -> None:
    assert [(ROOT / "suites" / "traps" / "test_two_tokens.py").read_text(encoding="utf-8")] == MODULE


def test_the_module_is_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['runner.session.plugin']\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = control(id): x\n")
    (tmp_path / "test_page.py").write_text(MODULE[0])
    ids = [entry.id for entry in collect(["."], Settings(), tmp_path)]
    assert ids == [f"X-TRAP-TOKENS-0{number}" for number in range(1, 8)]


@pytest.mark.parametrize("record", [Probe, Case, Token, Stage, Step, Settle, RefusedManifest])
def test_every_field_is_described(record: type) -> None:
    missing = [one.name for one in fields(record) if not re.search(rf"`[^`]*\b{one.name}\b[^`]*`", PAGE)]
    assert missing == []


def test_every_kind_is_described() -> None:
    kinds = [kind.name for kind in OutcomeKind if kind.value not in NOT_STATED]
    assert [name for name in kinds if f"`{name}`" not in PAGE] == []
    assert [one.name for one in Dial if f"`Dial.{one.name}`" not in PAGE] == []


def test_every_expectation_is_described() -> None:
    made = [name for name, one in vars(expect).items() if callable(one) and not name.startswith("_")]
    own = [name for name in made if getattr(expect, name).__module__ == expect.__name__ and name.islower()]
    assert [name for name in own if name not in PAGE and name != "echoed_header"] == []


def test_the_server_log_can_pin_a_foreign_server() -> None:
    assert "server" in {one.name for one in fields(ServerLogExpectation)}
    assert "`server` pins a foreign one" in PAGE


def test_the_readme_leads_to_the_page() -> None:
    assert "docs/case-language.md" in (ROOT / "README.md").read_text(encoding="utf-8")
