"""The front door and IAP: every control that can be proven is, every denial has its twin, manifests are valid."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from clients.apply.overlay import Overlay, namespaces_in
from clients.identity import certificates
from clients.identity.tokens import TokenIssuer
from clients.mesh.egress_gateway import EgressGateway
from clients.model.case import Case
from clients.model.stage import Stage
from clients.proof.denial import refuses
from reports.model import TargetInfo
from runner.target.descriptor import TargetDescriptor
from runner.target.template_values import Scope, template_values

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "manifests"
MODULES = [
    importlib.import_module(f"suites.{suite}.{path.stem}")
    for suite in ("front", "iap")
    for path in sorted((ROOT / "suites" / suite).glob("test_*.py"))
]
CASES = [case for module in MODULES for case in getattr(module, "CASES", ())]
CASES += [case for module in MODULES for table in getattr(module, "TABLES", ()) for case in table.cases]
SCOPE = Scope("w0-", EgressGateway(), certificates.issue(["a.example"]), "198.18.0.1")
VALUES = template_values(TargetDescriptor(TargetInfo("embedded")), TokenIssuer(), SCOPE)
TEXTS = [(str(one), one.read_text()) for one in MANIFESTS.rglob("*.yaml")]
NAMESPACES = namespaces_in(TEXTS)


def marked(module: ModuleType) -> set[str]:
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ()) if callable(value)]
    return {mark.args[0] for mark in marks if mark.name == "control"}


def test_every_control_is_proven() -> None:
    catalogue = yaml.safe_load((ROOT / "suites" / "catalogue.yaml").read_text())
    stated = {one["id"] for one in catalogue["cases"] if one["id"].startswith(("CRA-", "IAP-"))}
    proven = {case.control for case in CASES} | {name for module in MODULES for name in marked(module)}
    assert stated == stated & proven
    assert {name for name in proven if not name.startswith("X-")} <= stated


def test_ids_are_unique() -> None:
    ids = [case.id for case in CASES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("stated", CASES, ids=[case.id for case in CASES])
def test_a_denial_has_its_twin_on_the_same_backend(stated: Case) -> None:
    if not refuses(stated):
        return
    assert stated.twin is not None
    if stated.probe.behind:
        assert stated.twin.destination == stated.probe.destination


@pytest.mark.parametrize("module", MODULES, ids=[module.__name__ for module in MODULES])
def test_a_stage_names_manifests_that_are_there(module: ModuleType) -> None:
    stage: Stage = module.STAGE
    for path in (*stage.environment, *stage.apply, *stage.removed, *stage.replaced, *stage.without):
        assert (MANIFESTS / path).exists()
    assert set(stage.removed) <= set(stage.apply)


def manifests() -> list[Path]:
    return sorted([*(MANIFESTS / "front").rglob("*.yaml"), *(MANIFESTS / "iap").rglob("*.yaml")])


@pytest.mark.parametrize("path", manifests(), ids=[str(path.relative_to(MANIFESTS)) for path in manifests()])
def test_a_manifest_reaches_no_other_process(path: Path) -> None:
    """Everything is in a prefixed namespace, and what selects pods of all namespaces selects by a prefixed label."""
    values = VALUES | {"jwks": "{}", "scope": "w0-", "unprivileged": "cni"}
    images = {name: f"{name}:1" for name in ("envoy", "sleep", "httpbin", "cartservice")}
    overlay = Overlay("w0-", "r1", "gw0", images, "", values, NAMESPACES)
    for body in overlay.objects(path.read_text(), path.name):
        meta: dict[str, Any] = body["metadata"]
        home = meta["name"] if body["kind"] == "Namespace" else meta["namespace"]
        assert home.startswith("w0-") or path.stem == "in-istio-system"
        if body["kind"] == "Gateway" and body["apiVersion"].startswith("networking.istio.io"):
            assert all(value.startswith("w0-") for value in body["spec"]["selector"].values())
        if body["kind"] == "ConfigMap":
            assert yaml.safe_load(body["data"]["envoy.yaml"])["static_resources"]
