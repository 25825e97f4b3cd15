"""Upgrades between the two versions of the profile `canary`: a good one is safe, faults are named with their phase."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import MESHPROOF, ROOT, EndedRun, start

from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from clients.kube.labels import REVISION_LABEL
from clients.model.polling import poll
from runner.target.in_use import user_of
from runner.upgrade.moving import revision_of
from testbed.profiles import manager
from testbed.profiles.manager import ProfileUp

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
SUITE = "suites/lab/test_mesh_wide_strict.py"
LIMIT_S, GONE_S = 3600.0, 90.0
SHOP = "shop-of-the-user"
FAULTS = ROOT / "tests" / "e2e" / "upgrade_faults.py"
IN_EVERY_PAIR = ("mesh-http1-denied", "originated-http1-kept", "passed-http1-fresh")
LOOK = f"""
import sys
from pathlib import Path
from clients.kube import readiness
from clients.kube.cluster import Cluster
from runner.upgrade.moving import revision_of
for pod in Cluster.connect(Path(sys.argv[1])).objects("v1", "Pod", "{SHOP}"):
    print(revision_of(pod))
"""
OWN = {"apiVersion": "v1", "kind": "Namespace"}


@pytest.fixture(scope="module")
def canary() -> Iterator[ProfileUp]:
    """Both versions next to each other."""
    was = manager.status("canary").state
    yield manager.up("canary", None, print, user_of)
    if was != "up":
        manager.down("canary", print)


def of_revisions(profile: ProfileUp, kubeconfig: str = "") -> tuple[str, ...]:
    """The command, with the shipped rights, but for another kubeconfig."""
    account = ("--context", profile.context, "--kubeconfig", kubeconfig or profile.kubeconfig)
    sides = ("--from-revision", "stable", "--to-revision", "next")
    return (*MESHPROOF, "upgrade", SUITE, *sides, *account, "--allow-mesh-wide", "--out", "{out}")


def upgrade(profile: ProfileUp, scratch: Path, *words: str, kubeconfig: str = "") -> EndedRun:
    """One, to its end."""
    environment = {"MESHPROOF_CONFIG": profile.settings}
    return start(scratch, *of_revisions(profile, kubeconfig), *words, environment=environment).end(LIMIT_S)


def verdict(scratch: Path) -> dict[str, Any]:
    (file,) = scratch.glob("out/*/verdict.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def by_the_mesh(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what a machine without time loses: no proxy of the mesh has answered these requests with a refusal."""
    return [one for one in events if one["kind"] not in ("lost", "not denied") or " status 40" in one["text"]]


def fault(profile: ProfileUp, phase: str, *names: str) -> tuple[str, str]:
    """The words of a hook that brings faults about, or undoes them."""
    words = [sys.executable, str(FAULTS), profile.administrator, *names]
    return "--hook", f"{phase}=PYTHONPATH={shlex.quote(str(ROOT))} {shlex.join(words)}"


@pytest.fixture
def shop(canary: ProfileUp) -> Iterator[Cluster]:
    """A namespace of the user on the old revision, with one Deployment; the administrator's connection."""
    image = tomllib.loads(Path(canary.settings).read_text(encoding="utf-8"))["images"]["sleep"]
    cluster = Cluster.connect(Path(canary.administrator))
    labels = {"metadata": {"labels": {"app": "till"}}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "till", "image": image}]}
    try:
        cluster.create({**OWN, "metadata": {"name": SHOP, "labels": {REVISION_LABEL: "stable"}}})
        cluster.create(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "till", "namespace": SHOP},
                "spec": {"selector": {"matchLabels": {"app": "till"}}, "template": {**labels, "spec": spec}},
            }
        )
        yield cluster
    finally:
        cluster.delete(OWN["apiVersion"], OWN["kind"], SHOP)
        poll(lambda: cluster.get(OWN["apiVersion"], OWN["kind"], SHOP) is None, time.monotonic() + GONE_S)
        cluster.close()


def revisions_of(cluster: Cluster) -> set[str]:
    """Those that have injected the pods of the user's namespace."""
    pods = cluster.objects("v1", "Pod", SHOP)
    return {revision_of(pod) for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def test_an_upgrade_without_a_fault_is_safe(canary: ProfileUp, shop: Cluster, tmp_path: Path) -> None:
    """A namespace of the user moves with it, and is as it was at the end."""
    names = tmp_path / "names"
    look = f"PYTHONPATH={ROOT} {sys.executable} -c {shlex.quote(LOOK)} {canary.administrator} > {names}"
    moving = ("--namespace", SHOP, "--hook", f"rolled-back={look}")
    ran = upgrade(canary, tmp_path, *moving, kubeconfig=canary.administrator)
    found = verdict(tmp_path)
    assert (ran.code, found["verdict"]) == (0, "safe"), (found["against"], found["not_known"])
    assert (found["lost"], found["leaks"]) == (0, 0)
    assert {len(found["pairs"][flow]) for flow in IN_EVERY_PAIR} == {4}
    assert names.read_text(encoding="utf-8").split() == [found["to"]["revision"]], "it was on the new one"
    assert revisions_of(shop) == {found["from"]["revision"]}
    body = shop.get(OWN["apiVersion"], OWN["kind"], SHOP)
    assert body is not None
    assert body["metadata"]["labels"][REVISION_LABEL] == "stable"


def test_faults_are_named_with_their_phase(canary: ProfileUp, tmp_path: Path) -> None:
    ran = upgrade(
        canary,
        tmp_path,
        *fault(canary, "canary", "tag-early", "permissive"),
        *fault(canary, "mixed", "tag-back", "strict", "policy-of-old-revision"),
        *fault(canary, "moved", "policy-of-all", "policy-away", "injected-by-old"),
        *fault(canary, "rolled-back", "injected-by-new"),
    )
    found = verdict(tmp_path)
    assert (ran.code, found["verdict"]) == (1, "not safe"), ran.output[-3000:]
    seen = {(one["phase"], one["kind"], one["what"]) for one in found["against"]}
    assert ("canary", "revision", "stable") in seen, "the tag moved too early"
    assert ("canary", "not denied", "plain-http1-denied") in seen, "PERMISSIVE: another layer denies it"
    assert ("mixed", "leak", "mesh-http1-denied") in seen, "the new revision ignores the policy"
    leaks = {what for phase, kind, what in seen if (phase, kind) == ("moved", "leak")}
    assert any(what.startswith("mesh-") for what in leaks), "the policy was away for a third of a second"
    strays = [one for one in found["against"] if one["phase"] == "moved" and one["kind"] == "revision"]
    assert any("hold-server/" in one["what"] for one in strays), "the wrong revision injected"
    later = {one["kind"] for one in by_the_mesh(found["against"]) if one["phase"] == "rolled-back"}
    assert later <= {"revision"}, "the server that was injected wrongly stays until it is moved back"
    assert not [one for one in found["against"] if one["phase"] == "before"]


def test_faults_of_configuration_keys_and_moves_are_named_with_their_phase(
    canary: ProfileUp, shop: Cluster, tmp_path: Path
) -> None:
    """The user's own namespace is forgotten by the hook that should move it."""
    del shop
    ran = upgrade(
        canary,
        tmp_path,
        *fault(canary, "canary", "filter-of-new", "keys-by-server"),
        *fault(canary, "mixed", "filter-away", "keys-lost", "strict-of-old-revision"),
        *fault(canary, "moved", "keys-back", "strict-of-all", "gateway-back"),
    )
    found = verdict(tmp_path)
    assert (ran.code, found["verdict"]) == (1, "not safe"), ran.output[-3000:]
    against = [
        (one["phase"], one["kind"], one["what"].partition("/")[0], one["text"]) for one in by_the_mesh(found["against"])
    ]
    kinds = {(phase, kind) for phase, kind, _, _ in against}
    assert kinds == {("canary", "rejected"), ("mixed", "lost"), ("mixed", "not denied"), ("moved", "revision")}, against
    rejected = [text for _, kind, _, text in against if kind == "rejected"]
    assert all("of-the-new-proxy" in text for text in rejected), "the old proxies do not have this filter"
    lost = [(name, text) for _, kind, name, text in against if kind == "lost"]
    assert {name for name, _ in lost} == {"mesh-http1-token"}
    assert all(" status 401" in text for _, text in lost), "the new control plane has lost the keys"
    assert any(" with client old, server new: " in text for _, text in lost)
    plain = [(name, text) for _, kind, name, text in against if kind == "not denied"]
    assert {name for name, _ in plain} == {"plain-http1-denied"}
    assert any(" with server new: " in text for _, text in plain), "the new revision's default is PERMISSIVE"
    left = [name for phase, _, name, _ in against if phase == "moved"]
    assert all(name.endswith("-hold-gateway") for name in left), "the gateways were put back"
    forgotten = [one["phase"] for one in found["not_known"] if one["what"] == SHOP]
    assert forgotten == ["moved"]


def test_what_the_new_control_plane_is_set_to_do_otherwise_is_named(canary: ProfileUp, tmp_path: Path) -> None:
    """A setting that was lost: the old mesh lets only registered hosts through, the new one all. Old proxies, too."""
    try:
        ran = upgrade(canary, tmp_path, *fault(canary, "canary", "out-by-registry", "old-proxies"))
    finally:
        undo = [sys.executable, str(FAULTS), canary.administrator, "out-to-all", "new-proxies"]
        subprocess.run(undo, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=300)
    found = verdict(tmp_path)
    assert (ran.code, found["verdict"]) == (1, "not safe"), ran.output[-3000:]
    first = next(one for one in found["against"] if one["kind"] == "precheck")
    assert (first["phase"], first["what"]) == ("canary", "MESH-OUTBOUND")
    assert "ALLOW_ANY in place of REGISTRY_ONLY" in first["text"]
    old = [one for one in found["not_known"] if "its own proxies are not shown" in one["text"]]
    assert {one["phase"] for one in old} == {"mixed", "moved", "rolled-back"}


def test_another_root_certificate_stops_the_upgrade_where_proxies_do_not_start(
    canary: ProfileUp, tmp_path: Path
) -> None:
    try:
        ran = upgrade(canary, tmp_path, *fault(canary, "canary", "other-root"))
    finally:
        undo = [sys.executable, str(FAULTS), canary.administrator, "same-root"]
        subprocess.run(undo, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=300)
    found = verdict(tmp_path)
    assert (ran.code, found["verdict"]) == (1, "not safe"), ran.output[-3000:]
    against = by_the_mesh(found["against"])
    assert {(one["phase"], one["kind"]) for one in against} == {("mixed", "not ready")}, against
    assert all("certificate" in one["text"] for one in against), against
    assert [phase["name"] for phase in found["phases"]] == ["before", "canary"]
    assert "go on by --resume" in ran.output


def test_an_interrupted_upgrade_leaves_nothing_and_goes_on(canary: ProfileUp, tmp_path: Path) -> None:
    words = (*of_revisions(canary), "--no-prompt")
    folder = tmp_path / "first"
    folder.mkdir()
    ran = start(folder, *words, environment={"MESHPROOF_CONFIG": canary.settings})
    ran.until("the phase mixed", lambda: "phase mixed" in ran.output, LIMIT_S)
    ran.send(signal.SIGINT)
    ended = ran.end(LIMIT_S)
    assert ended.code == 130, ended.output[-3000:]
    assert "finished: before, canary; go on by --resume " in ended.output
    cluster = Cluster.connect(Path(canary.administrator))
    assert [str(one) for one in find(cluster)] == []
    cluster.close()
    (earlier,) = folder.glob("out/upgrade-*")
    again = tmp_path / "again"
    again.mkdir()
    ended = start(again, *words, "--resume", str(earlier), environment={"MESHPROOF_CONFIG": canary.settings}).end(
        LIMIT_S
    )
    found = verdict(folder)
    assert (ended.code, found["verdict"]) == (0, "safe"), (found["against"], found["not_known"])
    assert [phase["name"] for phase in found["phases"]] == ["before", "canary", "mixed", "moved", "rolled-back"]
    assert "phase before" not in ended.output, "it is not done again"


def test_the_shipped_rights_are_not_for_others_namespaces(canary: ProfileUp, shop: Cluster, tmp_path: Path) -> None:
    ran = upgrade(canary, tmp_path, "--namespace", SHOP)
    assert ran.code == 2, ran.output[-3000:]
    assert f"this identity may not move the namespace {SHOP}: " in ran.output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--from-revision", "stable", "--to-revision", "stable"), "--to-revision are both stable"),
        (("--from-revision", "stable", "--to-revision", "none"), "the mesh has no revision or tag none"),
        (("--from-revision", "none", "--to-revision", "next"), "the mesh has no revision or tag none"),
        (("--hook", "before=echo no such program; exit 3"), "the hook of the phase before failed (exit 3): no such"),
        (("--hook", "before=sleep 900", "--hook-timeout", "2"), "the hook of the phase before did not end within 2 s"),
        (("--to-revision", "none", "--hook", "canary=true"), "phase canary: the mesh has no revision or tag none"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], text: str, canary: ProfileUp, tmp_path: Path) -> None:
    ran = upgrade(canary, tmp_path, *words)
    assert ran.code == 2, ran.output[-3000:]
    assert text in ran.output.strip().splitlines()[-1]
