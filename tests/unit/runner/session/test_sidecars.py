"""Which workloads of the manifests have a sidecar, also where a manifest is not of the API's form."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.session.needs import sidecars

pytestmark = pytest.mark.unit

MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web, sidecar.istio.io/inject: "false"}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: shop, annotations: {sidecar.istio.io/inject: "false"}}
spec: null
"""
ODD = ("template: null", "template: [a]", "template: {metadata: text}", "template: {metadata: {labels: [a]}}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sidecars, "MANIFESTS", tmp_path)
    monkeypatch.setattr(sidecars, "sidecars", sidecars.sidecars.__wrapped__)
    return tmp_path


def test_who_opts_out(folder: Path) -> None:
    (folder / "a.yaml").write_text(MANIFESTS)
    found = sidecars.sidecars()
    assert (found.has("shop", "other"), found.has("shop", "web"), found.has("shop", "one")) == (True, False, False)
    assert not found.has("elsewhere")


@pytest.mark.parametrize("odd", ODD)
def test_a_manifest_of_another_form_ends_nothing(folder: Path, odd: str) -> None:
    """`plan` names it, and so does the API server."""
    (folder / "a.yaml").write_text(
        f"{MANIFESTS}---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x}}\nspec: {{{odd}}}\n"
    )
    assert sidecars.sidecars().has("shop")
