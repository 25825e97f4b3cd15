"""The security lab's suite says what the catalogue says, and its manifests are valid."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from clients.apply.overlay import Overlay
from clients.apply.references import namespaces_in
from clients.model.case import Case

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "manifests"
MODULES = [
    importlib.import_module(f"suites.lab.{path.stem}") for path in sorted((ROOT / "suites/lab").glob("test_*.py"))
]
CONTROLS: dict[str, dict[str, Any]] = {
    control["id"]: control for control in yaml.safe_load((ROOT / "suites" / "catalogue.yaml").read_text())["cases"]
}
STATED = [(module, case) for module in MODULES for case in getattr(module, "CASES", ()) if case.control in CONTROLS]
ALL_PAIRS = "LAB-PERM-05"
"""Stated for every client and every server at once, without one status."""
OVER_TLS = (
    "LAB-NSMTLS-03[TLS without a certificate]",
    "LAB-NSMTLS-03[TLS with a certificate of a foreign authority]",
    "LAB-NSMTLS-03[TLS with a certificate of a foreign trust domain]",
)
"""The document's client sends plaintext; what TLS alone is worth is our own question."""
PINNED = [case for _, case in STATED if case.control != ALL_PAIRS and case.id not in OVER_TLS]
BODIES = [case for _, case in STATED if case.refuses and "body" in CONTROLS[case.control]["then"]]
CHANGING = [module for module in MODULES if hasattr(module, "CASES") and (module.STAGE.apply or module.STAGE.scaled)]


@pytest.mark.parametrize("stated", PINNED, ids=lambda case: case.id)
def test_a_case_has_request_and_status_of_the_catalogue(stated: Case):
    given, then = CONTROLS[stated.control]["when"], CONTROLS[stated.control]["then"]
    assert f"{stated.probe.source.namespace}/{stated.probe.source.app}" in given["source"]
    assert (stated.probe.method, stated.probe.url) == (given["method"], given["url"])
    assert then["status"] == (stated.expect.status or "000")


def test_the_control_of_all_pairs_has_all_four_and_none_gets_an_answer_of_a_server():
    pairs = {
        (case.probe.source.namespace, case.probe.destination): case.expect.status
        for _, case in STATED
        if case.control == ALL_PAIRS
    }
    servers = ("httpbin.mtls-service", "httpbin.legacy-service")
    assert pairs == {("mtls-client", server): 503 for server in servers} | {
        ("legacy-client", server): None for server in servers
    }


@pytest.mark.parametrize(("module", "stated"), STATED, ids=[case.id for _, case in STATED])
def test_a_case_has_token_twin_and_needs_of_the_catalogue(module: ModuleType, stated: Case):
    control = CONTROLS[stated.control]
    assert bool(stated.probe.token) == any("Authorization" in header for header in control["when"]["headers"])
    assert (control["polarity"] == "deny") == (stated.twin is not None)
    assert ("mesh-wide" in control["needs"]) == ("mesh-wide" in module.STAGE.needs)


@pytest.mark.parametrize("stated", BODIES, ids=lambda case: case.id)
def test_a_refusal_with_a_body_in_the_catalogue_checks_it(stated: Case):
    assert stated.expect.checks


@pytest.mark.parametrize(
    "module", [module for module in CHANGING if module.STAGE.apply], ids=lambda module: module.STAGE.name
)
def test_a_change_is_seen_before_any_case_is_judged(module: ModuleType):
    """Otherwise what is allowed before and after would be proven before the change has come."""
    assert module.STAGE.settle


@pytest.mark.parametrize(
    "module", [module for module in CHANGING if not module.STAGE.removed], ids=lambda module: module.STAGE.name
)
def test_a_change_that_stays_changes_the_outcome_of_a_case(module: ModuleType):
    assert any(case.before and case.before.text != case.expect.text for case in module.CASES)


def texts() -> list[tuple[str, str]]:
    return [
        (path.relative_to(MANIFESTS).as_posix(), path.read_text())
        for path in sorted((MANIFESTS / "lab").rglob("*.yaml"))
    ]


def objects() -> list[dict[str, Any]]:
    images = {"sleep": "sleep:1", "httpbin": "httpbin:1", "envoy": "envoy:1"}
    values = {"jwks": '{"keys":[]}', "jwks_base64": "e30=", "issuer": "nobody"}
    overlay = Overlay("p-", "run-1", "w0", images, "", values, namespaces_in(texts()))
    lab = [(source, text) for source, text in texts() if source.startswith("lab/")]
    return [body for source, text in lab for body in overlay.objects(text, source)]


def test_workloads_fit_the_restricted_pod_security_standard():
    pods = [body["spec"]["template"]["spec"] for body in objects() if body["kind"] == "Deployment"]
    assert len(pods) == 10
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
