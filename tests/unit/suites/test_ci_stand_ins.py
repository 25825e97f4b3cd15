"""Stand-ins for GitHub's actions, for node and for meshproof in a job, without the runner that executes the job."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.config.settings import ROOT
from testbed.harness import tools
from testbed.versions import MODULES
from tests.standins import ci_job, ci_runner
from tests.standins.ci_runner import CiRunner, CiUse, EndedCiJob

pytestmark = pytest.mark.unit

RECIPE = yaml.safe_load((ROOT / "deploy/ci/github-actions.yml").read_text(encoding="utf-8"))
USED: list[dict[str, Any]] = [
    step for job in RECIPE["jobs"].values() for step in job["steps"] if step.get("uses", "").startswith("actions/")
]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EndedCiJob:
    """A prepared job; the current folder is its own."""
    CiRunner(Path("act"), tmp_path).prepare({"run": 1, "testbed digest": 2}, {"of-today": "parts"})
    monkeypatch.setenv(ci_job.STATE, str(tmp_path / "state"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.chdir(tmp_path / "work")
    return EndedCiJob(0, "", tmp_path / "state")


def used(monkeypatch: pytest.MonkeyPatch, action: str, inputs: dict[str, str]) -> int:
    """The exit code of an action."""
    monkeypatch.setenv(ci_job.INPUTS, json.dumps(inputs))
    return ci_job.main([action])


def test_each_tool_is_a_pinned_module() -> None:
    assert all({"go.mod", "go.sum"} <= {path.name for path in (MODULES / name).iterdir()} for name in tools.TOOLS)


# -- what the recipe uses


def test_each_action_of_the_recipe_has_a_stand_in_with_its_inputs() -> None:
    assert {step["uses"] for step in USED} == set(ci_runner.ACTIONS)
    for step in USED:
        assert set(step.get("with", {})) <= set(ci_runner.ACTIONS[step["uses"]]), step


def test_each_machine_of_the_recipe_is_this_one() -> None:
    wanted = [job["runs-on"] for job in RECIPE["jobs"].values()]
    assert {one if isinstance(one, str) else one[0] for one in wanted} == set(ci_runner.MACHINES)


def test_the_definition_of_a_stand_in() -> None:
    made = ci_runner.definition("actions/cache@v4")
    assert set(made["inputs"]) >= {"path", "key"}
    assert made["outputs"] == {"cache-hit": {"value": "${{ steps.it.outputs.cache-hit }}"}}
    assert made["runs"]["steps"][0]["run"].endswith("ci_job.py actions/cache")
    assert ci_runner.definition("actions/checkout@v4")["outputs"] == {}


# -- the runner


def test_what_the_runner_is_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program in the place of act prints its arguments and variables."""
    program = tmp_path / "act"
    program.write_text('#!/bin/sh\necho "$@"; env; exit 7\n')
    program.chmod(0o755)
    monkeypatch.setattr(ci_runner, "ALONE", ("env",))
    monkeypatch.setenv("MESHPROOF_WORKERS", "9")
    recipe = tmp_path / "recipe.yml"
    ended = CiRunner(program, tmp_path / "job").run(
        recipe, "cluster", codes={}, caches={}, settings={"A": "b"}, secrets={"C": "d"}
    )
    assert ended.code == 7
    for words in ("--job cluster", f"--workflows {recipe}", "--var A=b", "--secret C=d", "ubuntu-24.04=-self-hosted"):
        assert words in ended.output
    for name in ci_runner.ACTIONS:
        assert f"--local-repository {name}=" in ended.output
    assert "MESHPROOF_WORKERS" not in ended.output
    assert "ACT_DISABLE_VERSION_CHECK=1" in ended.output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave the network")
def test_the_runner_has_no_network() -> None:
    """Not even to itself: its loopback is down."""
    connect = "import socket; socket.create_connection(('127.0.0.1', 9), 5)"
    tried = subprocess.run([*ci_runner.ALONE, sys.executable, "-c", connect], capture_output=True, text=True)
    assert "Network is unreachable" in tried.stderr


def goes_on(pid: str) -> bool:
    """Whether the process has not ended; one whose parent has not waited for it has no command line any more."""
    try:
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_job_is_cancelled_once_a_command_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program in the place of act starts such a command, and is interrupted; the command ends with it."""
    program = tmp_path / "act"
    started = f"{ci_runner.started('meshproof run')} & echo $! >{tmp_path}/pid; wait"
    program.write_text(f"#!/bin/bash\ntrap 'echo interrupted; exit 1' INT\n{started}\n")
    program.chmod(0o755)
    monkeypatch.setattr(ci_runner, "ALONE", ("env",))
    ended = CiRunner(program, tmp_path / "job").run(
        *(tmp_path / "recipe.yml", "cluster"), codes={"run": None}, caches={}, settings={}, secrets={}
    )
    assert (ended.code, ended.output, ended.order) == (1, "interrupted\n", ["meshproof run"])
    pid, end = (tmp_path / "pid").read_text().strip(), time.monotonic() + 10
    while goes_on(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not goes_on(pid)


def test_what_the_runner_prints(tmp_path: Path) -> None:
    lines = [
        '{"command": "summary", "content": "s", "level": "info", "msg": "Summary", "step": "Prove"}',
        '{"command": "warning", "arg": "w", "level": "warning", "msg": "Warning"}',
        "Error: x",
    ]
    ended = EndedCiJob(1, "\n".join(lines), tmp_path)
    assert (ended.shown("summary"), ended.shown("warning"), ended.log) == (["s"], ["w"], "Prove: Summary\nError: x")


def test_a_job_that_used_nothing(tmp_path: Path) -> None:
    ended = EndedCiJob(1, "", tmp_path)
    assert (ended.order, ended.uploads) == ([], {})


# -- actions


def test_the_checkout_has_the_program(job: EndedCiJob, monkeypatch: pytest.MonkeyPatch) -> None:
    assert used(monkeypatch, "actions/checkout", {"ref": "v1", "token": ""}) == 0
    assert Path("meshproof").stat().st_mode & stat.S_IXUSR
    assert job.uses == [CiUse("actions/checkout", {"ref": "v1"})]


@pytest.mark.parametrize(("key", "output"), [("of-today", "cache-hit=true\n"), ("of-old", "")])
def test_a_cache_restores_what_has_its_key(
    key: str, output: str, job: EndedCiJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert used(monkeypatch, "actions/cache", {"key": key, "path": "testbed.bundle"}) == 0
    file, hit = Path("testbed.bundle"), tmp_path / "output"
    assert (file.exists(), hit.read_text() if hit.exists() else "") == (bool(output), output)


@pytest.mark.parametrize(("otherwise", "code"), [("ignore", 0), ("error", 1)])
def test_an_upload_of_nothing(otherwise: str, code: int, job: EndedCiJob, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"name": "x", "path": "out/2*", "if-no-files-found": otherwise}
    assert (used(monkeypatch, "actions/upload-artifact", inputs), job.uploads) == (code, {})


# -- meshproof and node


def test_a_run_writes_reports_and_ends_with_its_code(job: EndedCiJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_CONTEXT", "mesh")
    Path("meshproof.toml").write_text("workers = 1")
    Path("meshproof.toml").chmod(0o600)
    assert ci_job.main(["meshproof", "run", "--workers", "2"]) == 1
    use = job.use("meshproof run")
    assert (use.what, use.files) == ("meshproof run --workers 2", {"meshproof.toml": "0600 workers = 1"})
    assert use.environment["MESHPROOF_CONTEXT"] == "mesh"
    assert used(monkeypatch, "actions/upload-artifact", {"name": "x", "path": "reports/out/2*"}) == 0
    assert set(job.uploads) == {f"x/{ci_job.RUN}/{name}" for name in ("conformance.json", "index.html", "summary.md")}
    assert Path("reports/out/latest/summary.md").is_file()


def test_a_digest_that_cannot_be_computed_is_not_printed(job: EndedCiJob, capsys: pytest.CaptureFixture[str]) -> None:
    assert ci_job.main(["meshproof", "testbed", "digest"]) == 2
    (job.state / "codes.json").write_text("{}")
    assert ci_job.main(["meshproof", "testbed", "digest"]) == 0
    assert capsys.readouterr().out == f"{ci_job.DIGEST}\n"


def test_an_export_is_a_file(job: EndedCiJob) -> None:
    assert ci_job.main(["meshproof", "testbed", "export", "testbed.bundle"]) == 0
    assert Path("testbed.bundle").is_file()


def test_node_hashes_the_files_that_there_are(job: EndedCiJob, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ci_job.node(["--no-warnings", "-e", "console.log(process.execPath)"]) == str(job.state / "bin/node")
    Path("a.lock").write_text("a")
    hashes = []
    for patterns in ("a.lock", "*.lock", "b.lock"):
        monkeypatch.setenv(ci_job.PATTERNS, patterns)
        hashes.append(ci_job.node(["index.js"]).split("__OUTPUT__")[1])
    assert hashes[0] == hashes[1] != hashes[2] == ""
