"""Warnings of `plan` and of `doctor --policies`: one line each, and no error of the command."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cluster_fakes import FakeCluster
from plan_fakes import planned_test
from rich.console import Console
from why_samples import WORKLOADS, authorization, policy

from clients.model.errors import AccessError, ClusterError, SettingsError
from runner.commands import doctor, doctor_policies, plan, policy_warnings
from runner.config.settings import Settings
from runner.session.planned import PlannedTest

pytestmark = pytest.mark.unit

TYPO = policy("AuthorizationPolicy", "require-jwt", {"selector": {"matchLabels": {"app": "httpbim"}}})
LINE = (
    "AuthorizationPolicy mtls-service/require-jwt selects no workload: app=httpbim matches none in mtls-service "
    "(httpbin has app=httpbin)"
)


def deployment(app: str, namespace: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": app, "image": app}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {"template": template},
    }


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    (tmp_path / "environment.yaml").write_text(yaml.safe_dump(deployment("httpbin", "mtls-service")))
    (tmp_path / "typo.yaml").write_text(yaml.safe_dump_all([TYPO, None]))
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "odd.yaml").write_text("kind: AuthorizationPolicy\n---\njust text\n")
    return tmp_path


def entry(*apply: str, **more: Any) -> PlannedTest:
    return planned_test(
        "suites/a.py::test", suite="suites/a.py", environment=("environment.yaml",), apply=apply, **more
    )


def shown(found: policy_warnings.Warnings) -> str:
    console = Console(file=io.StringIO(), width=400)
    policy_warnings.show(found, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_plan_warns_of_the_manifests_of_its_stages(manifests: Path) -> None:
    found = policy_warnings.of_manifests([entry("typo.yaml"), entry("typo.yaml", name="X-2")], manifests)
    assert found == {"selects_nothing": [LINE]}, "once, whatever the number of cases"
    assert LINE in shown(found)


@pytest.mark.parametrize("apply", [(), ("broken.yaml",), ("odd.yaml",), ("no-such.yaml",)])
def test_plan_says_nothing_where_nothing_is_known(manifests: Path, apply: tuple[str, ...]) -> None:
    found = policy_warnings.of_manifests([entry(*apply)], manifests)
    assert found == {}
    assert shown(found) == ""


def test_what_a_stage_removes_is_not_its_state(manifests: Path) -> None:
    assert policy_warnings.of_manifests([entry("typo.yaml", removed=("typo.yaml",))], manifests) == {}


def test_many_of_one_kind_do_not_hide_the_plan() -> None:
    text = shown({"overridden": [f"policy {number}" for number in range(36)]})
    assert text.count("overridden") == policy_warnings.SHOWN + 1
    assert "and 33 more of this kind" in text


def test_the_plan_itself_has_them(monkeypatch: pytest.MonkeyPatch, manifests: Path) -> None:
    monkeypatch.setattr(plan, "MANIFESTS", manifests)
    console = Console(file=io.StringIO(), width=400, soft_wrap=True)
    plan.show([entry("typo.yaml")], console)
    assert LINE in console.file.getvalue()  # type: ignore[attr-defined]


class Limited(FakeCluster):
    """Lists nothing in all namespaces at once, and some namespaces not at all."""

    def objects(self, api: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if kind in ("Namespace", "MutatingWebhookConfiguration"):
            return super().objects(api, kind, namespace, labels)
        if not namespace or namespace == "closed":
            raise AccessError(f"the cluster refuses GET {kind}")
        return super().objects(api, kind, namespace, labels)


def target(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster | None) -> Any:
    monkeypatch.setattr(FakeCluster, "close", lambda self: None, raising=False)
    there = SimpleNamespace(connect=lambda: cluster) if cluster else None
    return SimpleNamespace(kind="live", look=lambda say: there, settings=Settings())


def filled(cluster: FakeCluster) -> FakeCluster:
    cluster.put(*({"apiVersion": "v1", **body} for body in (*WORKLOADS, TYPO)))
    cluster.put(
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in ("mtls-service", "closed"))
    )
    return cluster


def test_doctor_warns_and_ends_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor_policies.show(target(monkeypatch, filled(FakeCluster())), as_json=False) == 0
    text = capsys.readouterr().out
    assert f"warning  selects_nothing: {LINE}" in text
    assert "1 policy, 1 warning" in text


def test_doctor_warns_where_it_may_not_see_what_injects(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The root namespace is then the usual one, or that of the settings; the command ended instead."""
    cluster = filled(FakeCluster(forbidden={("list", "MutatingWebhookConfiguration", "")}))
    assert doctor_policies.show(target(monkeypatch, cluster), as_json=False) == 0
    assert f"warning  selects_nothing: {LINE}" in capsys.readouterr().out


def test_doctor_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor_policies.show(target(monkeypatch, filled(FakeCluster())), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"policies": 1, "warnings": [{"detector": "selects_nothing", "text": LINE}], "not_read": []}


def test_doctor_with_few_rights(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It looks where it may, says where it may not, and what it does not know it does not guess."""
    odd = authorization("read-only", "DENY", {"to": [{"operation": {"methods": ["post"]}}]})
    cluster = filled(Limited())
    cluster.put(odd)
    assert doctor_policies.show(target(monkeypatch, cluster), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["detector"] for row in found["warnings"]] == ["method_spelling"], (
        "whether a selector matches is unknown"
    )
    assert "AuthorizationPolicy: only 1 namespaces: the cluster refuses GET AuthorizationPolicy" in found["not_read"]


def test_doctor_needs_a_cluster_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="the live cluster is down"):
        doctor_policies.show(target(monkeypatch, None), as_json=False)


def test_json_is_for_policies_alone() -> None:
    with pytest.raises(SettingsError, match="--json goes with --policies"):
        doctor.doctor(as_json=True, **dict.fromkeys(("target", "context", "kubeconfig")))
