"""The security lab's suite says what the catalogue says: every control, every denial with its twin, valid manifests."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from clients.apply.overlay import Overlay, namespaces_in
from clients.model.case import Case
from clients.model.stage import Stage
from clients.proof.denial import refuses

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
OWN = "X-"
"""Beginning of the project's own controls, which no document states."""
MANIFESTS = ROOT / "manifests"
MODULES = [
    importlib.import_module(f"suites.lab.{path.stem}") for path in sorted((ROOT / "suites/lab").glob("test_*.py"))
]
CASES = [(module, case) for module in MODULES for case in getattr(module, "CASES", ())]
STATED = [(module, case) for module, case in CASES if not case.control.startswith(OWN)]


@pytest.fixture(scope="module")
def controls() -> dict[str, dict[str, Any]]:
    catalogue = yaml.safe_load((ROOT / "suites" / "catalogue.yaml").read_text())
    return {control["id"]: control for control in catalogue["cases"] if control["id"].startswith("LAB-")}


def marked(module: ModuleType) -> set[str]:
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ()) if callable(value)]
    return {mark.args[0] for mark in marks if mark.name == "control"}


def test_every_control_is_proven(controls: dict[str, Any]):
    proven = {case.control for _, case in CASES} | {name for module in MODULES for name in marked(module)}
    assert {name for name in proven if not name.startswith(OWN)} == set(controls)


def test_ids_are_unique():
    ids = [case.id for _, case in CASES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("module", "stated"), STATED, ids=[case.id for _, case in STATED])
def test_a_case_agrees_with_the_catalogue(module: ModuleType, stated: Case, controls: dict[str, Any]):
    control = controls[stated.control]
    given, then = control["when"], control["then"]
    if stated.control != "LAB-PERM-05":
        assert f"{stated.probe.source.namespace}/{stated.probe.source.app}" in given["source"]
        assert (stated.probe.method, stated.probe.url) == (given["method"], given["url"])
        assert then["status"] == (stated.expect.status or "000")
    assert bool(stated.probe.token) == any("Authorization" in header for header in given["headers"])
    assert (control["polarity"] == "deny") == (stated.twin is not None)
    if refuses(stated):
        assert stated.twin != stated.probe
    if "body" in then and refuses(stated):
        assert stated.expect.checks
    needs_alone = "mesh-wide" in control["needs"]
    assert needs_alone == ("mesh-wide" in module.STAGE.needs)


@pytest.mark.parametrize("module", MODULES, ids=[module.__name__ for module in MODULES])
def test_a_change_is_seen_before_any_case_is_judged(module: ModuleType):
    """Otherwise what is allowed before and after would be proven before the change has come."""
    stage: Stage = module.STAGE
    if stage.apply and hasattr(module, "CASES"):
        assert stage.settle
    assert set(stage.removed) <= set(stage.apply)
    changed = any(case.before and case.before.text != case.expect.text for case in getattr(module, "CASES", ()))
    assert changed or not (stage.apply or stage.scaled) or stage.removed or not hasattr(module, "CASES")


def texts() -> list[tuple[str, str]]:
    return [
        (path.relative_to(MANIFESTS).as_posix(), path.read_text())
        for path in sorted((MANIFESTS / "lab").rglob("*.yaml"))
    ]


def objects() -> list[dict[str, Any]]:
    images = {"sleep": "sleep:1", "httpbin": "httpbin:1"}
    values = {"jwks": '{"keys":[]}', "jwks_base64": "e30=", "issuer": "nobody"}
    overlay = Overlay("p-", "run-1", "w0", images, "", values, namespaces_in(texts()))
    lab = [(source, text) for source, text in texts() if source.startswith("lab/")]
    return [body for source, text in lab for body in overlay.objects(text, source)]


def test_manifests_are_valid_and_used():
    assert objects()
    stages = [module.STAGE for module in MODULES]
    used = {path for stage in stages for path in (*stage.environment, *stage.apply)}
    lab = [source for source, _ in texts() if source.startswith("lab/")]
    assert [source for source in lab if source not in used and source.rsplit("/", 1)[0] not in used] == []


def test_workloads_fit_the_restricted_pod_security_standard():
    pods = [body["spec"]["template"]["spec"] for body in objects() if body["kind"] == "Deployment"]
    assert len(pods) == 5
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
