"""The jobs of the recipe for GitLab CI, executed by gitlab-ci-local on this machine, night by night."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.config.settings import ROOT
from tests.standins import ci_job
from tests.standins.ci_job import DIGEST, RUN
from tests.standins.ci_runner import ALONE, started

pytestmark = pytest.mark.nightly

RECIPE = ROOT / "deploy/ci/gitlab-ci.yml"
RUNNER = "gitlab-ci-local@4.45.2"
"""The newest that needs neither a compiler nor another Node than Debian 12 has; from npm."""
RSYNC = ("rsync", "libpopt0", "libxxhash0")
"""What it copies artifacts with, from Debian."""
SCHEDULED = {"CI_PIPELINE_SOURCE": "schedule", "MESH_ON_RUNNER": "true", "MESH_CONTEXT": "mesh"}
BUNDLE = f"testbed-{DIGEST}.bundle"
BUILD = ("meshproof testbed digest", "meshproof testbed build", f"meshproof testbed export {BUNDLE}")
PROVE = "meshproof run --workers 2 --deadline 100m"
NAMES = ("conformance.json", "index.html", "summary.md")


@dataclass(frozen=True)
class GitlabNight:
    """What one night is like, and what the job must make of it.

    Attributes:
        codes: beginning of a command of meshproof → its exit code.
        cached: files of the cache that an earlier night has stored.
        order: the commands that the job gives.
        left: bundles that go into the cache.
    """

    job: str
    order: tuple[str, ...]
    codes: Mapping[str, int] = field(default_factory=dict)
    cached: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    failed: bool = False
    reports: bool = True


CLUSTER = tuple(
    f"meshproof {words}"
    for words in (
        "run --kubeconfig kubeconfig --context mesh --workers 2 --deadline 100m",
        "cleanup --kubeconfig kubeconfig --context mesh",
    )
)
NIGHTS = {
    "the cluster conforms": GitlabNight("cluster", CLUSTER),
    "the cluster does not conform": GitlabNight("cluster", CLUSTER, {"run": 1}, failed=True),
    "the cluster cannot be reached": GitlabNight("cluster", CLUSTER, {"run": 2}, failed=True, reports=False),
    "the first night": GitlabNight("embedded", (*BUILD, PROVE, "meshproof down"), left=(BUNDLE,)),
    "a later night, which does not conform": GitlabNight(
        "embedded",
        (BUILD[0], f"meshproof testbed import {BUNDLE}", PROVE, "meshproof down"),
        {"run": 1},
        cached=(BUNDLE,),
        left=(BUNDLE,),
        failed=True,
    ),
    "other parts than those in the cache": GitlabNight(
        "embedded", (*BUILD, PROVE, "meshproof down"), cached=("testbed-of-old.bundle",), left=(BUNDLE,)
    ),
    "parts that cannot be built": GitlabNight(
        "embedded", (*BUILD[:2], "meshproof down"), {"testbed build": 2}, failed=True, reports=False
    ),
    "a digest that cannot be computed": GitlabNight(
        "embedded", (BUILD[0], "meshproof down"), {"testbed digest": 2}, failed=True, reports=False
    ),
}


@dataclass(frozen=True)
class GitlabRunner:
    """gitlab-ci-local, and where its own rsync is."""

    program: Path
    rsync: Path

    def run(self, night: GitlabNight, folder: Path, recipe: str) -> subprocess.CompletedProcess[str]:
        """Execute the night's job in a checkout of its own, without containers and without any network."""
        work, state = folder / "work", folder / "state"
        for each in (work / "testbed", state / "bin"):
            each.mkdir(parents=True)
        (state / "codes.json").write_text(json.dumps(dict(night.codes)))
        (work / ".gitlab-ci.yml").write_text(recipe)
        (work / ".gitignore").write_text(".gitlab-ci-local\n")
        for name in ("testbed/versions.py", "requirements.lock", "kubeconfig", *night.cached):
            (work / name).write_text(name)
        _program(work / "meshproof", f'exec {started("meshproof")} "$@"')
        _program(state / "bin/apt-get", "exit 0")  # the image of the job `cluster` is this machine
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.test", "-C", str(work)]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a"]):
            subprocess.run([*git, *words], check=True)
        subprocess.run([*git, "remote", "add", "origin", "https://git.example.test/us/meshproof.git"], check=True)
        given = {**SCHEDULED, "MESH_KUBECONFIG": "kubeconfig", ci_job.STATE: str(state)}
        options = [word for name, value in given.items() for word in ("--variable", f"{name}={value}")]
        environment = {
            "PATH": f"{state / 'bin'}:{self.rsync / 'usr/bin'}:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": ":".join(map(str, (self.rsync / "usr/lib").glob("*-linux-gnu"))),
            "HOME": str(folder),
        }
        return subprocess.run(
            [*ALONE, str(self.program), night.job, *options],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=ci_job.PATIENCE_S,
        )


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> GitlabRunner:
    if missing := [name for name in ("npm", "git", "apt-get", "dpkg-deb", "unshare") if not shutil.which(name)]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("gitlab-ci-local")
    npm = ["npm", "install", "--prefix", str(folder), "--no-fund", "--no-audit", "--ignore-scripts", RUNNER]
    subprocess.run(npm, check=True, capture_output=True, cwd=folder)
    subprocess.run(["apt-get", "download", "-q", *RSYNC], check=True, capture_output=True, cwd=folder)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "rsync")], check=True)
    return GitlabRunner(folder / "node_modules/.bin/gitlab-ci-local", folder / "rsync")


def differences(night: GitlabNight, ended: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    """What the job did otherwise."""
    used = (folder / "state/used.jsonl").read_text(encoding="utf-8").splitlines()
    kept = folder / "work/.gitlab-ci-local/artifacts" / night.job / "reports/out"
    due = {
        "failed": (ended.returncode != 0, night.failed),
        "order": (tuple(json.loads(line)["what"] for line in used), night.order),
        "kept": (
            {str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()},
            {f"{RUN}/{name}" for name in NAMES if night.reports},
        ),
        "cached": (tuple(path.name for path in (folder / "work").glob("testbed-*.bundle")), night.left),
    }
    return [f"{what}: {seen}, not {expected}" for what, (seen, expected) in due.items() if seen != expected]


def recipe() -> str:
    """The recipe without its image, as there are no containers, and without its exit code 3, unknown to this runner."""
    text = RECIPE.read_text(encoding="utf-8")
    for lines in ("  image: python:3.11-slim-bookworm\n", "  allow_failure:\n    exit_codes: [3]\n"):
        assert lines in text
        text = text.replace(lines, "")
    return text


@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS)
def test_a_night(night: GitlabNight, runner: GitlabRunner, tmp_path: Path) -> None:
    ended = runner.run(night, tmp_path, recipe())
    assert differences(night, ended, tmp_path) == [], ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("name", "right", "wrong", "difference"),
    [
        ("the cluster conforms", "paths: [reports/out/2*]", "paths: [reports/2*]", "kept"),
        (
            "a later night, which does not conform",
            "./meshproof testbed import",
            "# ./meshproof testbed import",
            "order",
        ),
        ("other parts than those in the cache", '! -name "$bundle" -delete', '! -name "$bundle"', "cached"),
    ],
)
def test_a_mistake_in_the_recipe_is_seen(
    name: str, right: str, wrong: str, difference: str, runner: GitlabRunner, tmp_path: Path
) -> None:
    assert right in recipe()
    ended = runner.run(NIGHTS[name], tmp_path, recipe().replace(right, wrong))
    assert difference in [line.split(":")[0] for line in differences(NIGHTS[name], ended, tmp_path)]
