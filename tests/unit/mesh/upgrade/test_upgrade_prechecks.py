"""Revisions, proxies, istioctl, and all checks of a cluster together."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster
from upgrade_samples import body, pod, view

from clients.mesh.istioctl import Analyzer
from clients.mesh.upgrade import proxies, revisions
from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.prechecks import Prechecks, check_versions, prechecks
from clients.mesh.upgrade.programs import UpgradePrograms, behind
from clients.mesh.upgrade.unchecked import Unchecked, UncheckedReason, out_of_sight
from clients.mesh.upgrade.view import KINDS, Json, read
from clients.model.errors import AccessError, InfrastructureError, SettingsError
from runner.commands import cli, precheck

pytestmark = pytest.mark.unit


def webhook(revision: str, tag: str = "") -> Json:
    labels = {"app": "sidecar-injector", "istio.io/rev": revision, **({"istio.io/tag": tag} if tag else {})}
    return body("MutatingWebhookConfiguration", name=f"injector-{revision}-{tag}", namespace="", labels=labels)


def bound(kind: str, revision: str) -> Json:
    return body(kind, labels={"istio.io/rev": revision})


HOOKS = (webhook("1-29"), webhook("1-31"), webhook("1-29", "prod"))


def codes(found: Any) -> list[tuple[str, ChangeLevel, tuple[str, ...]]]:
    return [(one.code, one.level, one.objects) for one in found]


@pytest.mark.parametrize(
    ("label", "target", "text"),
    [
        ("1-29", "1-31", "bound to the revision 1-29: the revision 1-31 does not read it"),
        ("prod", "1-31", "bound to the revision prod: the revision 1-31 does not read it"),
        ("1-29", "", ""),
        ("gone", "", "bound to the revision gone, which does not exist: no control plane reads it"),
    ],
)
def test_policies_that_are_bound_to_a_revision(label: str, target: str, text: str) -> None:
    found = list(revisions.checks(view(*HOOKS, bound("AuthorizationPolicy", label)), target))
    assert [one.text for one in found] == ([text] if text else [])
    assert all(one.level is ChangeLevel.ERROR and one.objects == ("AuthorizationPolicy shop/one",) for one in found)


@pytest.mark.parametrize(
    ("twin", "code"),
    [
        ({"action": "DENY"}, ""),
        ({"action": "ALLOW"}, "REVISION-DIFFERS"),
        ({"action": "DENY", "selector": {"matchLabels": {"app": "till"}}}, "REVISION-BOUND"),
    ],
)
def test_a_policy_may_have_a_twin_for_the_new_revision(twin: dict[str, Any], code: str) -> None:
    """One of other workloads takes no place of another."""
    old = body("AuthorizationPolicy", {"action": "DENY"}, "old", labels={"istio.io/rev": "prod"})
    new = body("AuthorizationPolicy", twin, "new", labels={"istio.io/rev": "1-31"})
    found = [one for one in revisions.checks(view(*HOOKS, old, new), "1-31") if one.level is ChangeLevel.ERROR]
    assert codes(found) == ([(code, ChangeLevel.ERROR, ("AuthorizationPolicy shop/old",))] if code else [])
    assert not found or "AuthorizationPolicy shop/new" in found[0].text or code == "REVISION-BOUND"


@pytest.mark.parametrize("label", ["1-31", "1-32"])
def test_what_only_the_new_revision_reads_begins_with_the_move(label: str) -> None:
    found = revisions.checks(view(*HOOKS, bound("AuthorizationPolicy", label)), label)
    assert codes(found) == [("REVISION-BEGINS", ChangeLevel.WARNING, ("AuthorizationPolicy shop/one",))]


def test_what_is_no_policy_is_a_warning_and_what_has_no_label_is_read_by_all() -> None:
    found = revisions.checks(view(*HOOKS, bound("VirtualService", "1-29"), body("PeerAuthentication")), "1-31")
    assert codes(found) == [("REVISION-BOUND", ChangeLevel.WARNING, ("VirtualService shop/one",))]


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ({"istio.io/rev": "1-29"}, ""),
        ({"istio.io/rev": "prod"}, ""),
        ({"istio.io/rev": "gone"}, "REVISION-NOWHERE"),
        ({"istio.io/rev": "1-31", "istio-injection": "enabled"}, "REVISION-HIDDEN"),
        ({"istio-injection": "enabled"}, "REVISION-NOWHERE"),
        ({"istio-injection": "disabled"}, ""),
        ({}, ""),
    ],
)
def test_labels_of_namespaces(labels: dict[str, str], code: str) -> None:
    found = revisions.checks(view(*HOOKS, body("Namespace", name="shop", namespace="", labels=labels)), "1-31")
    assert codes(found) == ([(code, ChangeLevel.ERROR, ("Namespace shop",))] if code else [])


def test_the_default_revision_serves_the_common_label_and_nothing_is_said_where_webhooks_are_not_seen() -> None:
    namespace = body("Namespace", name="shop", namespace="", labels={"istio-injection": "enabled"})
    assert list(revisions.checks(view(webhook("default"), namespace))) == []
    assert list(revisions.checks(view(body("Namespace", labels={"istio.io/rev": "x"})))) == []


@pytest.mark.parametrize(
    ("image", "start", "end", "expected"),
    [
        ("proxyv2:1.29.1", "1.29", "1.30", []),
        ("proxyv2:1.29.1", "1.29", "1.31", ["PROXY-OLDER"]),
        ("proxyv2:1.28.0", "1.29", "1.30", ["PROXY-OLDER", "PROXY-LEFT"]),
        ("proxyv2:1.32.0", "1.30", "1.31", ["PROXY-NEWER"]),
        ("proxyv2:latest", "1.29", "1.31", []),
    ],
)
def test_versions_of_proxies(image: str, start: str, end: str, expected: list[str]) -> None:
    for one in (pod(image), pod(image, native=True)):
        found = list(proxies.checks(view(one, body("Pod", {"containers": []})), start, end))
        assert [touched.code for touched in found] == expected
        assert all(touched.objects == ("Pod shop/one",) for touched in found)


def status(**states: str) -> str:
    kinds = [{"typeUrl": f"type.googleapis.com/x.{kind}", "configStatus": state} for kind, state in states.items()]
    return json.dumps({"resources": [{"node": {"id": "pay-1.shop"}, "genericXdsConfigs": kinds}]})


def test_proxies_that_do_not_follow() -> None:
    found = list(behind(status(Cluster="SYNCED", Listener="ERROR") + "\n" + status(Route="STALE", Secret="NOT_SENT")))
    assert codes(found) == [
        ("PROXY-ERROR", ChangeLevel.ERROR, ("Proxy pay-1.shop",)),
        ("PROXY-STALE", ChangeLevel.WARNING, ("Proxy pay-1.shop",)),
    ]
    assert found[0].text == "rejects its configuration (Listener)"
    assert list(behind(status(Cluster="SYNCED"))) == []
    assert list(behind("")) == []
    with pytest.raises(InfrastructureError, match="does not print the status of proxies as JSON"):
        list(behind("NAME  CLUSTER  ISTIOD\n"))


def program(folder: Path, script: str) -> Analyzer:
    file = folder / "istioctl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return Analyzer(file, folder / "kubeconfig", "prod", "1-31")


FINDING = '[{"code": "IST0162", "level": "%s", "message": "m", "origin": "Gateway a/b"}]'


def test_istioctl_is_asked_with_the_cluster_and_the_minor(tmp_path: Path) -> None:
    script = f"echo \"$@\" >> {tmp_path}/calls; echo '{FINDING % 'Error'}'; exit 1"
    found = UpgradePrograms(program(tmp_path, script)).precheck("1.29.1")
    assert codes(found) == [("IST0162", ChangeLevel.ERROR, ("Gateway a/b",))]
    options = f"--kubeconfig {tmp_path}/kubeconfig --context prod --revision 1-31"
    assert (tmp_path / "calls").read_text() == f"x precheck --from-version 1.29 -o json {options}\n"


def test_a_cluster_without_issues_and_findings_that_only_inform(tmp_path: Path) -> None:
    assert UpgradePrograms(program(tmp_path, "echo 'No issues found when checking' >&2")).precheck("1.29") == []
    assert UpgradePrograms(program(tmp_path, f"echo '{FINDING % 'Info'}'")).analyze() == []


@pytest.mark.parametrize(
    ("script", "message"),
    [("echo 'Error: forbidden' >&2; exit 1", "forbidden"), ("sleep 5", "took longer than 0.2 s"), ("echo x", "failed")],
)
def test_an_istioctl_that_fails_is_no_finding(script: str, message: str, tmp_path: Path) -> None:
    programs = UpgradePrograms(program(tmp_path, script), timeout_s=0.2)
    with pytest.raises(InfrastructureError, match=message):
        programs.precheck("1.29")


class VersionedCluster(FakeCluster):
    """All kinds are known, by the key under which `KINDS` has them."""

    server_version = "1.34.4"

    def has_kind(self, version: str, kind: str) -> bool:
        return (version, kind) in KINDS.values()

    def objects(self, version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if kind in self.refuse:
            raise self.refuse[kind]
        found = super().objects(version, kind, namespace, labels)
        return [] if (version, kind) == ("gateway.networking.k8s.io/v1", "Gateway") else found


def a_cluster() -> VersionedCluster:
    cluster = VersionedCluster()
    containers = [{"image": "pilot:1.29.1", "env": [{"name": "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY", "value": "x"}]}]
    spec = {"template": {"metadata": {}, "spec": {"containers": containers}}}
    istiod = body("Deployment", spec, "istiod", "istio-system", labels={"app": "istiod"})
    config = {**body("ConfigMap", None, "istio", "istio-system"), "data": {"mesh": "defaultHttpRetryPolicy: {}\n"}}
    policies = [body("AuthorizationPolicy", None, name, labels={"istio.io/rev": "gone"}) for name in ("a", "b")]
    for one in (istiod, config, webhook("default"), pod(), *policies):
        cluster.put(dict(one))
    return cluster


def test_all_checks_of_a_cluster(tmp_path: Path) -> None:
    istioctl = program(tmp_path, "echo 'No issues found' >&2; echo '[]'")
    found = prechecks(a_cluster(), "1.29", "1.31", istioctl=istioctl)  # type: ignore[arg-type]
    assert codes(found.found) == [
        ("1.31-variables", ChangeLevel.ERROR, ("istiod PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY=x",)),
        ("REVISION-BOUND", ChangeLevel.ERROR, ("AuthorizationPolicy shop/a", "AuthorizationPolicy shop/b")),
        ("PROXY-OLDER", ChangeLevel.WARNING, ("Pod shop/one",)),
    ]
    assert found.not_checked == ()
    assert [one.code for one in found.of(ChangeLevel.WARNING)] == ["PROXY-OLDER"]


def test_what_may_not_be_read_is_named_and_no_finding() -> None:
    cluster = a_cluster()
    cluster.refuse["Pod"] = AccessError("may not list pods")
    found = prechecks(cluster, "1.22", "1.32")  # type: ignore[arg-type]
    assert Unchecked("Pod: may not list pods") in found.not_checked
    no_program = "precheck, analyze and proxy-status: there is no istioctl"
    assert Unchecked(no_program, UncheckedReason.BY_ISTIOCTL) in found.not_checked
    assert Unchecked("changes before 1.24 and after 1.31 are not in the table") in found.not_checked
    assert not [one for one in found.found if one.check == "proxies"]


@pytest.mark.parametrize(
    ("start", "end", "line"),
    [
        ("1.29.1", "1.29.4", ""),
        ("1.31.1", "1.29.1", "changes from 1.31.1 back to 1.29.1 are not in the table"),
        ("1.29.1", "", "changes between the versions: from 1.29.1 to one not seen"),
        ("main", "1.31.1", "changes between the versions: from main to 1.31.1"),
    ],
)
def test_what_does_not_depend_on_versions_is_checked_whatever_they_are(start: str, end: str, line: str) -> None:
    """A policy with the old revision's label is lost by a move within one minor, too."""
    found = prechecks(a_cluster(), start, end)  # type: ignore[arg-type]
    assert "REVISION-BOUND" in {one.code for one in found.found}
    own = [one.text for one in found.not_checked if one.why is not UncheckedReason.BY_ISTIOCTL]
    assert own == ([line] if line else [])


def managed(*revisions: str, **config: str) -> VersionedCluster:
    """Control planes that run elsewhere: what injects is a URL, and a ConfigMap of each has its MeshConfig."""
    cluster = VersionedCluster()
    for name in revisions:
        hook = {"name": "rev.istio.io", "clientConfig": {"url": f"https://{name}.mesh.test/inject"}}
        cluster.put({**webhook(name), "webhooks": [hook]})
        if mesh := config.get(name.replace("-", "_"), "accessLogFile: x"):
            cluster.put({**body("ConfigMap", None, f"istio-{name}", "istio-system"), "data": {"mesh": mesh}})
    return cluster


VARIABLES = "the variables of istiod"


@pytest.mark.parametrize(
    ("config", "codes_found", "hidden"),
    [
        ({}, [], [VARIABLES] * 3),
        (
            {"rapid": "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"},
            ["MESH-OUTBOUND", "MESH-SETTINGS"],
            [VARIABLES] * 3,
        ),
        ({"rapid": ""}, [], [VARIABLES, VARIABLES, "MeshConfig", VARIABLES]),
    ],
)
def test_of_a_control_plane_elsewhere_all_is_compared_that_can_be_seen(
    config: dict[str, str], codes_found: list[str], hidden: list[str]
) -> None:
    """A ConfigMap that is not there does not exist: the other revision's is not taken for it."""
    cluster: Any = managed("stable", "rapid", **config)
    found = prechecks(cluster, "1.29.1", "1.31.1", revision="stable", target="rapid")
    missing = [one for one in found.not_checked if one.why is not UncheckedReason.BY_ISTIOCTL]
    assert {one.why for one in missing} == {UncheckedReason.OUT_OF_SIGHT}
    assert [next(what for what in (VARIABLES, "MeshConfig") if one.text.startswith(what)) for one in missing] == hidden
    assert [one.code for one in found.found if one.check == "meshes"] == codes_found


def test_what_rights_would_show_is_not_out_of_sight() -> None:
    cluster: Any = managed("stable", "rapid")
    cluster.refuse["ConfigMap"] = AccessError("may not list configmaps")
    found = prechecks(cluster, "1.29.1", "1.31.1", revision="stable", target="rapid")
    not_seen = [one.text for one in found.not_checked if one.why is UncheckedReason.NOT_SEEN]
    assert [one.partition(" of ")[0] for one in not_seen] == ["MeshConfig: no ConfigMap", "MeshConfig", "MeshConfig"]


def test_in_the_cluster_a_control_plane_that_is_not_seen_may_be_there() -> None:
    cluster: Any = a_cluster()
    cluster.refuse["Deployment"] = AccessError("may not list deployments")
    found = prechecks(cluster, "1.29.1", "1.31.1")
    text = "istiod: its Deployment is not seen, so that its variables are not known"
    assert Unchecked(text) in found.not_checked


def test_a_kind_is_read_in_the_version_that_the_cluster_has() -> None:
    class Later(VersionedCluster):
        def has_kind(self, version: str, kind: str) -> bool:
            return kind != "BackendTLSPolicy" or version.endswith("/v1")

    cluster = Later()
    cluster.put({**body("BackendTLSPolicy"), "apiVersion": "gateway.networking.k8s.io/v1"})
    seen = SimpleNamespace(istiods=[], configurations=[], root="istio-system", injector=None)
    assert len(read(cluster, seen).of("BackendTLSPolicy")) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "end"), [("1.31", "1.31.1"), ("1.31", "1.29"), ("1.29", "x")])
def test_versions_that_are_no_upgrade(start: str, end: str) -> None:
    with pytest.raises(SettingsError):
        check_versions(start, end)


def test_the_command_prints_what_is_touched_and_ends_by_the_worst(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Prechecks(
        "1.29", "1.31", (Touched("1.30-x", ChangeLevel.WARNING, "changes", "it differs", ("Pod a/b",), "do"),)
    )
    worse = replace(found, found=(*found.found, Touched("IST1", ChangeLevel.ERROR, "analyze", "broken")))
    asked: list[tuple[str, str]] = []

    def looked(result: Prechecks) -> None:
        def look(_: Any, start: str, end: str, **__: Any) -> Prechecks:
            asked.append((start, end))
            return result

        cluster = SimpleNamespace(close=lambda: None)
        access = SimpleNamespace(connect=lambda: cluster, istioctl="")
        monkeypatch.setattr(precheck, "prechecks", look)
        monkeypatch.setattr(precheck.targets, "of", lambda _: SimpleNamespace(look=lambda _: access, kind="live"))

    hidden = (out_of_sight("the variables of istiod"),)
    for result, code in (
        (found, 0),
        (replace(found, not_checked=hidden), 0),
        (replace(found, not_checked=(Unchecked("Pod: refused"),)), 3),
        (worse, 1),
    ):
        looked(result)
        assert cli.main(["precheck", "--from", "1.29", "--to", "1.31"]) == code
    printed = capsys.readouterr().out
    assert "warning  1.30-x: it differs\n           Pod a/b\n           hint: do\n" in printed
    assert "not checked Pod: refused" in printed
    assert "from 1.29 to 1.31: 1 error, 1 warning" in printed
    assert cli.main(["precheck", "--from", "1.29", "--to", "1.31", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["found"][1]["level"] == "error"
    assert asked[0] == ("1.29", "1.31")
    assert cli.main(["precheck", "--from", "1.31", "--to", "1.29"]) == 2
