"""Targets: kind by a stand-in for its program, revisions, and the overlay whose objects other plugins may change."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import certifi
import pytest

from clients.mesh.survey import injection
from clients.model.errors import ClusterError, SettingsError
from reports.record.model import MeshRecord, TargetInfo
from runner.config.settings import Settings, load
from runner.target import kind, targets
from runner.target.access import Access
from runner.target.assemble import TouchedOverlay

pytestmark = pytest.mark.unit
STAND_IN = """#!/bin/sh
echo "$@" >> "$KIND_LOG"
case "$1" in
  get) printf '%s' "$KIND_CLUSTERS";;
  load) [ -z "$KIND_FAILS" ] || { echo "ERROR: no nodes found" >&2; exit 1; };;
esac
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in for `kind` on PATH, and its log of arguments."""
    program = tmp_path / "kind"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("KIND_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("KIND_CLUSTERS", "one\n")
    return tmp_path / "log"


def test_the_only_kind_cluster_is_taken_and_images_are_loaded(log: Path, tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    archive.touch()
    there = targets.of(Settings(target="kind", archives=(archive,))).access(print)
    assert (there.kubeconfig, there.context) == ("", "kind-one")
    assert {"sleep", "httpbin", "envoy"} <= set(there.images)
    assert not there.outside.hosts
    assert log.read_text().splitlines() == ["get clusters", f"load image-archive {archive} --name one"]


def test_several_kind_clusters_need_a_name(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_CLUSTERS", "one\ntwo\n")
    with pytest.raises(
        SettingsError, match="2 kind clusters were found, not one; name one with --context: kind-one, kind"
    ):
        kind.context("")
    assert kind.context("kind-two") == "kind-two"
    with pytest.raises(SettingsError, match="no kind cluster for context kind-three"):
        kind.context("kind-three")


def test_a_failure_of_kind_shows_its_last_line(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_FAILS", "1")
    (tmp_path / "a.tar").touch()
    with pytest.raises(ClusterError, match="kind load image-archive failed: ERROR: no nodes found") as caught:
        kind.load_archives("kind-one", [tmp_path / "a.tar"])
    assert "kind get clusters" in caught.value.hint
    with pytest.raises(SettingsError, match="does not exist"):
        kind.load_archives("kind-one", [tmp_path / "b.tar"])


def test_without_kind_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="not on PATH; install kind"):
        kind.context("")


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({}, "embedded"),
        ({"context": "prod"}, "live"),
        ({"kubeconfig": Path("x")}, "live"),
        ({"context": "kind-a"}, "kind"),
        ({"context": "kind-a", "target": "live"}, "live"),
    ],
)
def test_a_context_implies_the_target(
    given: dict[str, object], target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kind").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert targets.of(load(given)).kind == target


def test_without_the_program_kind_its_cluster_is_one_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubeconfig of a kind cluster elsewhere was refused for want of the program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert targets.of(load({"context": "kind-a"})).kind == "live"
    assert targets.of(load({"context": "kind-a", "archives": [tmp_path / "a.tar"]})).kind == "kind", "it must load them"


def test_a_context_from_the_environment_implies_the_target_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_CONTEXT", "prod")
    assert targets.of(load()).kind == "live"


@pytest.mark.parametrize("name", ["target", "context", "kubeconfig"])
def test_an_empty_name_is_not_the_embedded_cluster(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--context "$CONTEXT"` with the variable unset, or a variable of CI that was never set: it conformed."""
    with pytest.raises(SettingsError, match=f"^--{name} is empty"):
        load({name: ""})
    monkeypatch.setenv(f"MESHPROOF_{name.upper()}", "")
    with pytest.raises(SettingsError, match=f"^MESHPROOF_{name.upper()} is empty"):
        load()
    settled = load({name: "embedded" if name == "target" else "kind-a"})
    monkeypatch.setenv(*settled.handed().popitem())
    assert load() == settled, "the test processes of a run inherit the empty variable"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "embedded", "context": "prod"}, "embedded target has its own"),
        ({"target": "kind", "context": "prod"}, "is named kind-…, not prod"),
        (
            {"target": "live", "hosts": "hermetic"},
            "only the embedded target has hosts of its own; use --hosts internet",
        ),
        ({"external": {"hosts": {"example.com": "10.0.0.1"}}}, "embedded target has external hosts of its own"),
        ({"target": "live", "external": {"log": "/log"}}, "it needs their names and addresses"),
        ({"target": "live", "external": {"hosts": {"a": "10.0.0.1"}, "more": {"b": ["10.0.0.2"]}}}, "more names b"),
        (
            {"target": "live", "external": {"hosts": {"example.com": "10.0.0.1"}, "roots": "/no/such.pem"}},
            "roots names /no/such.pem",
        ),
        ({"hosts": "internet"}, "does not reach the internet"),
        ({"target": "lvie"}, "there is no target lvie; did you mean live?"),
        ({"target": "nowhere"}, "there is no target nowhere; there are embedded, kind, live"),
    ],
)
def test_settings_that_do_not_fit_the_target(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        targets.of(load(given))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("wanted", "found", "chosen"),
    [
        ("", ("default",), ""),
        ("", ("asm-1157-23",), "asm-1157-23"),
        ("b", ("a", "b"), "b"),
        ("", (), ""),
        ("", ("a", "default"), ""),
    ],
)
def test_the_revision_is_detected_where_it_is_clear(wanted: str, found: tuple[str, ...], chosen: str) -> None:
    assert injection.choose(wanted, [injection.Injector(one) for one in found]).label == chosen


@pytest.mark.parametrize(("wanted", "found"), [("c", ("a", "b")), ("", ("a", "b"))])
def test_a_revision_that_is_not_there_or_not_clear(wanted: str, found: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="revision"):
        injection.choose(wanted, [injection.Injector(one) for one in found])


def test_objects_can_be_changed_before_they_are_applied() -> None:
    def exempt(objects: list[dict[str, object]]) -> None:
        objects[0]["spec"] = {"mtls": {"mode": "DISABLE"}}

    text = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: b}\nspec: {}\n"
    overlay = TouchedOverlay("p-", "run", "w0", {}, "", {}, frozenset({"b"}), touch=exempt)
    (changed,) = overlay.objects(text, "a.yaml")
    assert changed["spec"] == {"mtls": {"mode": "DISABLE"}}
    assert changed["metadata"]["namespace"] == "p-b"


@pytest.mark.parametrize(
    ("given", "context", "name"),
    [
        ({}, "", "embedded cluster"),
        ({"target": "live"}, "prod", "live cluster prod at 10.0.0.1:6443"),
        ({"target": "kind"}, "kind-one", "kind cluster one at 10.0.0.1:6443"),
    ],
)
def test_a_target_has_a_name_for_people(given: dict[str, Any], context: str, name: str) -> None:
    target = targets.of(load(given))
    assert target.name(Access(context=context), "https://10.0.0.1:6443") == name


@pytest.mark.parametrize(
    ("info", "title"),
    [
        (
            TargetInfo("live", mesh=MeshRecord("istio", "1.31.1"), name="live cluster prod at 10.0.0.1"),
            "live cluster prod at 10.0.0.1 (istio 1.31.1)",
        ),
        (TargetInfo("live", context="prod"), "live cluster prod"),
        (TargetInfo("embedded"), "embedded cluster"),
    ],
)
def test_a_report_names_its_cluster(info: TargetInfo, title: str) -> None:
    assert info.title == title


def test_the_current_context_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\nusers: [{name: u, user: {}}]\n"
        "clusters: [{name: c, cluster: {server: https://10.0.0.1}}]\n"
        "contexts: [{name: here, context: {cluster: c, user: u}}, {name: there, context: {cluster: c, user: u}}]\n"
    )
    assert targets.of(Settings(kubeconfig=tmp_path / "config")).access(print).context == "here"
    assert targets.of(Settings(kubeconfig=tmp_path / "config", context="there")).access(print).context == "there"
    assert targets.of(Settings(kubeconfig=tmp_path / "none")).access(print).context == ""


def test_the_example_of_the_documentation_is_a_whole_target(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[4] / "docs" / "adding-a-target.md").read_text()
    module, line = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"__name__": "runner.target.k3d"}
    exec(compile(module, "k3d.py", "exec"), names)
    exec(line, names | vars(targets), names)
    monkeypatch.setattr(targets, "TARGETS", names["TARGETS"])
    target = targets.of(load({"context": "k3d-mine"}))
    assert target.kind == "k3d"
    assert target.name(target.access(print), "") == "k3d cluster k3d-mine"
    assert [check.name for check in target.machine()] == ["k3d"]
    with pytest.raises(SettingsError, match="named k3d-…; name it by --context"):
        targets.of(load({"target": "k3d"}))
    assert targets.of(load({"context": "prod"})).kind == "live"


def test_a_live_target_has_the_external_hosts_that_the_settings_name(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text(Path(certifi.where()).read_text())
    external = {"hosts": {"example.com": "10.0.0.1"}, "roots": roots, "more": {"example.com": ["10.0.0.2"]}}
    outside = targets.of(Settings.model_validate({"context": "mine", "external": external})).access(print).outside
    assert (outside.hosts, outside.more) == ({"example.com": "10.0.0.1"}, {"example.com": ["10.0.0.2"]})
    assert outside.roots == str(roots)
    assert outside.metadata_server == "169.254.169.254/32", "Google's own, where nothing else is stated"
    assert targets.of(Settings(context="mine")).access(print).outside.roots == ""
    with pytest.raises(SettingsError, match="external hosts of two kinds"):
        targets.of(Settings.model_validate({"context": "mine", "external": external, "hosts": "internet"}))
