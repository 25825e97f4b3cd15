"""Labels that a cluster demands: of pods and namespaces, but none by which the harness or the mesh knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.model.errors import SettingsError
from runner.config import settings
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(section: str, labels: dict[str, str]) -> settings.Settings:
    """From a file of the user's."""
    rows = "\n".join(f'"{name}" = "{value}"' for name, value in labels.items())
    Path("meshproof.toml").write_text(f"[{section}.labels]\n{rows}\n")
    return settings.load()


def walked(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from walked(one)
    if isinstance(value, list):
        for one in value:
            yield from walked(one)


def labels_in_use() -> set[str]:
    """Every label that pods of the manifests have, and that anything there selects pods by."""
    found: set[str] = set()
    for file in (ROOT / "manifests").rglob("*.yaml"):
        text = re.sub(r"\{\{.*?\}\}", "x", file.read_text(encoding="utf-8"))
        for body in filter(None, yaml.safe_load_all(text)):
            pod = body if body["kind"] == "Pod" else (body.get("spec") or {}).get("template") or {}
            found |= set((pod.get("metadata") or {}).get("labels") or {})
            if body["kind"] == "Service":
                found |= set(body["spec"].get("selector") or {})
            for part in walked(body):
                if isinstance(selected := part.get("podSelector") or part.get("selector"), dict):
                    found |= set(selected.get("matchLabels") or {})
    return found - {"x"}  # of a template


def test_no_label_that_a_pod_has_or_is_selected_by_may_be_set() -> None:
    in_use = labels_in_use()
    assert {"app", "version", "istio", "sidecar.istio.io/inject"} <= in_use
    for name in in_use:
        with pytest.raises(SettingsError, match=rf"a run sets the label {re.escape(name)} itself"):
            loaded("pods", {name: "x"})


@pytest.mark.parametrize(
    ("section", "label", "words"),
    [
        ("pods", ("sidecar.istio.io/inject", "false"), "a run sets the label sidecar.istio.io/inject itself"),
        ("pods", ("istio.io/rev", "old"), "a run sets the label istio.io/rev itself"),
        ("pods", ("service.istio.io/canonical-name", "a"), "itself"),
        ("pods", ("meshproof.dev/run", "a"), "itself"),
        ("pods", ("app.kubernetes.io/managed-by", "Helm"), "itself"),
        ("pods", ("batch.kubernetes.io/job-name", "a"), "itself"),
        ("namespaces", ("istio-injection", "disabled"), "a run sets the label istio-injection itself"),
        ("namespaces", ("istio.io/rev", "old"), "; --revision chooses a revision"),
        ("namespaces", ("meshproof.dev/worker", "a"), "itself"),
        ("pods", ("two words", "a"), "two words = 'a' is no label of Kubernetes"),
        ("pods", ("team", "a/b"), "team = 'a/b' is no label of Kubernetes"),
        ("pods", ("team", "x" * 64), "is no label of Kubernetes"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_line(section: str, label: tuple[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(section, dict([label]))
    assert str(caught.value).startswith(f"the setting {section}.labels (")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_clusters_demand_can_be_set() -> None:
    given = {"team": "mesh", "app.kubernetes.io/name": "meshproof", "cost-centre": "", "example.com/owner": "a_b.c"}
    assert loaded("pods", given).pods.labels == given
    wanted = {"pod-security.kubernetes.io/enforce": "restricted", "mesh": "discovered"}
    assert loaded("namespaces", wanted).namespaces.labels == wanted
