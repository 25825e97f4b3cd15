"""Upgrades between the two versions of the profile `canary`: a good one is safe, faults are named with their phase."""

from __future__ import annotations

import json
import shlex
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import MESHPROOF, ROOT, EndedRun, start

from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.mesh.injection import REVISION_LABEL
from runner.upgrade.moving import revision_of
from testbed.profiles import manager
from testbed.profiles.manager import ProfileUp

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
SUITE = "suites/lab/test_mesh_wide_strict.py"
LIMIT_S, GONE_S = 3600.0, 90.0
SHOP = "shop-of-the-user"
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
    yield manager.up("canary", None, print)
    if was != "up":
        manager.down("canary", print)


def upgrade(profile: ProfileUp, scratch: Path, *words: str, kubeconfig: str = "") -> EndedRun:
    """With the shipped rights, but for another kubeconfig."""
    account = ("--context", profile.context, "--kubeconfig", kubeconfig or profile.kubeconfig)
    where = (*account, "--allow-mesh-wide", "--out", "{out}")
    sides = ("--from-revision", "stable", "--to-revision", "next")
    environment = {"MESHPROOF_CONFIG": profile.settings}
    return start(scratch, *MESHPROOF, "upgrade", SUITE, *sides, *where, *words, environment=environment).end(LIMIT_S)


def verdict(scratch: Path) -> dict[str, Any]:
    (file,) = scratch.glob("out/*/verdict.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def fault(profile: ProfileUp, phase: str, *names: str) -> tuple[str, str]:
    """The words of a hook that brings faults about, or undoes them."""
    file = ROOT / "tests" / "e2e" / "upgrade_faults.py"
    words = [sys.executable, str(file), profile.administrator, *names]
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
        readiness.poll(lambda: cluster.get(OWN["apiVersion"], OWN["kind"], SHOP) is None, time.monotonic() + GONE_S)
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
    assert ("moved", "leak", "mesh-http1-denied") in seen, "the policy was away for a third of a second"
    strays = [one for one in found["against"] if one["phase"] == "moved" and one["kind"] == "revision"]
    assert any("hold-server/" in one["what"] for one in strays), "the wrong revision injected"
    later = {one["kind"] for one in found["against"] if one["phase"] == "rolled-back"}
    assert later <= {"revision"}, "the server that was injected wrongly stays until it is moved back"
    assert not [one for one in found["against"] if one["phase"] == "before"]


def test_the_shipped_rights_are_not_for_others_namespaces(canary: ProfileUp, shop: Cluster, tmp_path: Path) -> None:
    ran = upgrade(canary, tmp_path, "--namespace", SHOP)
    assert ran.code == 2, ran.output[-3000:]
    assert f"this identity may not move the namespace {SHOP}: " in ran.output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--from-revision", "stable", "--to-revision", "stable"), "are the same revision"),
        (("--from-revision", "stable", "--to-revision", "none"), "the mesh has no revision or tag none"),
        (("--from-revision", "none", "--to-revision", "next"), "the mesh has no revision or tag none"),
        (("--hook", "before=echo no such program; exit 3"), "the hook of the phase before failed (exit 3): no such"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], text: str, canary: ProfileUp, tmp_path: Path) -> None:
    ran = upgrade(canary, tmp_path, *words)
    assert ran.code == 2, ran.output[-3000:]
    assert text in ran.output.strip().splitlines()[-1]
