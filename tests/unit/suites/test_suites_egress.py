"""The egress suite says what the catalogue says: every control, every denial with its twin."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from clients.model.case import Case
from clients.model.stage import Stage
from clients.proof.denial import refuses

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
OWN = "X-"
MODULES = [
    importlib.import_module(f"suites.egress.{path.stem}") for path in sorted((ROOT / "suites/egress").glob("test_*.py"))
]
CASES: list[tuple[ModuleType, Case]] = [(module, case) for module in MODULES for case in getattr(module, "CASES", ())]
CONTROLS = {
    control["id"]: control
    for control in yaml.safe_load((ROOT / "suites" / "catalogue.yaml").read_text())["cases"]
    if control["id"].startswith("EGR-")
}


def marked(module: ModuleType) -> set[str]:
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ()) if callable(value)]
    return {mark.args[0] for mark in marks if mark.name == "control"}


def test_every_control_is_there() -> None:
    proven = {case.control for _, case in CASES} | {name for module in MODULES for name in marked(module)}
    assert {name for name in proven if not name.startswith(OWN)} == set(CONTROLS)


def test_ids_are_unique() -> None:
    ids = [case.id for _, case in CASES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("module", "stated"), CASES, ids=[case.id for _, case in CASES])
def test_a_refusal_has_its_twin(module: ModuleType, stated: Case) -> None:
    if refuses(stated):
        assert stated.twin is not None
        assert stated.twin != stated.probe
    for logged in stated.logged:
        assert not logged.absent or stated.twin is not None


STATED = [case for _, case in CASES if not case.control.startswith(OWN)]


@pytest.mark.parametrize("stated", STATED, ids=[case.id for case in STATED])
def test_a_case_agrees_with_the_catalogue(stated: Case) -> None:
    then: dict[str, Any] = CONTROLS[stated.control]["then"]
    wanted = str(then.get("status", ""))[:3]
    if wanted.isdigit():
        assert wanted == str(stated.expect.status or "000")
    if "access_log" in then and CONTROLS[stated.control]["polarity"] != "state":
        assert stated.logged or stated.arrival


@pytest.mark.parametrize("module", MODULES, ids=[module.__name__ for module in MODULES])
def test_what_is_changed_for_everybody_is_done_alone(module: ModuleType) -> None:
    stage: Stage = getattr(module, "STAGE", Stage("none"))
    mesh_wide = any("mesh-wide" in path for path in stage.apply) or "example-com-originate-tls.yaml" in str(stage.apply)
    assert not mesh_wide or "mesh-wide" in stage.needs
