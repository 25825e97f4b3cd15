"""Proving clusters: what a run as a live target, with the shipped roles and no other right, shows on each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pinned
import pytest
from e2e_runs import MESHPROOF, ROOT, EndedRun, start

from runner.target.in_use import user_of
from testbed.profiles import manager
from testbed.profiles.manager import ProfileUp

pytestmark = pytest.mark.e2e

WHOLE_S = 3600.0
"""Time limit of a whole run in seconds."""
PROVEN = {"nodes": 1190, "hardened": 700, "managed": 1000, "canary": 1190, "kind": 1000, "kind-full": 1190}
"""Least number of cases that a whole run proves."""
REVISIONS = {"canary": ("stable", "next")}
"""Revisions that are each to be proven as a whole, where there is more than the one that a run chooses."""
SMOKE = "nodes"
NODE_CONTROLS = ("EGR-NODE-01", "EGR-NODE-02", "EGR-NODE-03")


def conform(profile: ProfileUp, scratch: Path, *words: str) -> EndedRun:
    """A run on the profile, as `up` says it is started."""
    where = ("--context", profile.context, "--kubeconfig", profile.kubeconfig, "--out", "{out}")
    environment = {"MESHPROOF_CONFIG": profile.settings}
    return start(scratch, *MESHPROOF, "run", *words, *where, environment=environment).end(WHOLE_S)


def bad(ran: EndedRun) -> dict[str, str]:
    """What did not pass, and the reasons; a run that did not get that far has its output instead."""
    assert ran.folder is not None, ran.output[-3000:]
    return {name: ran.cases[name]["reason"] for name, one in ran.verdicts.items() if one in {"fail", "inconclusive"}}


@pytest.mark.nightly
def test_the_whole_catalogue(profile: ProfileUp, foreign: None, tmp_path: Path) -> None:
    """Every revision is proven before the first one's faults end the test: a run takes many minutes."""
    found = {}
    for revision in REVISIONS.get(profile.name, ("",)):
        scratch = tmp_path / (revision or "default")
        scratch.mkdir()
        ran = conform(profile, scratch, "--allow-mesh-wide", *(("--revision", revision) if revision else ()))
        name = f"{profile.name} {revision}".strip()
        found[name] = faults(ran, name, PROVEN[profile.name])
    assert found == {name: {} for name in found}


def faults(ran: EndedRun, name: str, least: int) -> dict[str, object]:
    """What a whole run should not have, by what it is."""
    skips, due = pinned.of_report(ran.report), pinned.pinned(name, pinned.DOCUMENT.read_text(encoding="utf-8"))
    totals = ran.report["totals"]
    seen = {
        "bad": bad(ran),
        "not run": totals["not_run"],
        "skips that docs/targets.md does not pin": dict(skips - due),
        "pinned skips that were none": dict(due - skips),
        "fewer proven than": least if totals["pass"] < least else 0,
        "exit code": ran.code,
    }
    return {what: one for what, one in seen.items() if one}


@pytest.fixture
def smoke() -> Iterator[ProfileUp]:
    """The profile of the quick test, next to the shared testbed; started again."""
    manager.down(SMOKE, print)
    yield manager.up(SMOKE, None, print, user_of)
    manager.down(SMOKE, print)


def test_one_profile_from_its_start_to_its_end(smoke: ProfileUp, tmp_path: Path) -> None:
    """The quick one: a second start finds it, its own controls are proven, and its end leaves nothing."""
    assert manager.up(SMOKE, None, print, user_of) == smoke
    status = subprocess.run([sys.executable, "-m", "runner", "status"], cwd=ROOT, capture_output=True, text=True)
    assert f"profile {SMOKE}: up" in status.stdout
    words = [word for control in NODE_CONTROLS for word in ("--control", control)]
    ran = conform(smoke, tmp_path, *words)
    assert ran.verdicts == dict.fromkeys(NODE_CONTROLS, "pass"), ran.output[-3000:]
    assert manager.down(SMOKE, print)
    folder = manager.folder_of(SMOKE)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in files if "log/" not in name and not name.endswith("lock")], "only logs and locks stay"
    assert not [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_of(folder, entry)]


def _is_of(folder: Path, process: Path) -> bool:
    try:
        return str(folder).encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False
