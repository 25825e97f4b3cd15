"""Upgrades between the two versions of the profile `canary`: a good one is safe, faults are named with their phase."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import MESHPROOF, ROOT, EndedRun, start

from testbed.profiles import manager
from testbed.profiles.manager import ProfileUp

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
SUITE = "suites/lab/test_mesh_wide_strict.py"
LIMIT_S = 3600.0


@pytest.fixture(scope="module")
def canary() -> Iterator[ProfileUp]:
    """Both versions next to each other."""
    was = manager.status("canary").state
    yield manager.up("canary", None, print)
    if was != "up":
        manager.down("canary", print)


def upgrade(profile: ProfileUp, scratch: Path, *words: str, suite: str = SUITE) -> EndedRun:
    where = ("--context", profile.context, "--kubeconfig", profile.kubeconfig, "--allow-mesh-wide", "--out", "{out}")
    sides = ("--from-revision", "stable", "--to-revision", "next")
    environment = {"MESHPROOF_CONFIG": profile.settings}
    return start(scratch, *MESHPROOF, "upgrade", suite, *sides, *where, *words, environment=environment).end(LIMIT_S)


def verdict(scratch: Path) -> dict[str, Any]:
    (file,) = scratch.glob("out/*/verdict.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def fault(profile: ProfileUp, phase: str, *names: str) -> tuple[str, str]:
    """The words of a hook that brings faults about, or undoes them."""
    file = ROOT / "tests" / "e2e" / "upgrade_faults.py"
    words = [sys.executable, str(file), profile.administrator, *names]
    return "--hook", f"{phase}=PYTHONPATH={shlex.quote(str(ROOT))} {shlex.join(words)}"


def test_an_upgrade_without_a_fault_is_safe(canary: ProfileUp, tmp_path: Path) -> None:
    ran = upgrade(canary, tmp_path)
    found = verdict(tmp_path)
    assert (ran.code, found["verdict"]) == (0, "safe"), (found["against"], found["not_known"])
    assert (found["lost"], found["leaks"]) == (0, 0)
    assert len(found["pairs"]["mesh-http1-denied"]) == 4


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
