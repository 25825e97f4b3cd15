"""The recipes for CI systems: their own schemas accept them, what they call exists, exit codes mean what they do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from runner.commands import cli
from runner.config.settings import NOT_SETTINGS, PREFIX, ROOT, Settings
from testbed.harness import tools

pytestmark = pytest.mark.unit

CI = ROOT / "deploy/ci"
SCHEMAS = {
    "github-actions.yml": "vendor.github-workflows",
    "gitlab-ci.yml": "vendor.gitlab-ci",
    "cloudbuild.yaml": "vendor.cloudbuild",
}
"""Recipe → schema that check-jsonschema has with it: no network is asked."""
ALL = (*SCHEMAS, "tekton.yaml", "systemd/meshproof.service", "systemd/meshproof.timer")


def load(name: str) -> Any:
    return yaml.safe_load((CI / name).read_text(encoding="utf-8"))


def steps(job: str) -> dict[str, dict[str, Any]]:
    """Of the recipe for GitHub, by their names."""
    return {step["name"]: step for step in load("github-actions.yml")["jobs"][job]["steps"] if "name" in step}


def test_every_recipe_is_tested() -> None:
    assert {str(path.relative_to(CI)) for path in CI.rglob("*") if path.is_file()} == set(ALL)


@pytest.mark.parametrize("name", SCHEMAS)
def test_its_own_schema_accepts_it(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    checked = subprocess.run([*command, CI / name], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_schema_refuses_a_recipe_with_a_mistake(tmp_path: Path) -> None:
    text = (CI / "github-actions.yml").read_text(encoding="utf-8").replace("runs-on:", "run-on:")
    (tmp_path / "workflow.yml").write_text(text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    assert subprocess.run([*command, tmp_path / "workflow.yml"], capture_output=True).returncode == 1


# -- commands


def called() -> Iterator[tuple[str, str, list[str]]]:
    """Recipe, verbs and options of each call of meshproof."""
    for name in ALL:
        text = re.sub(r"\\\n\s*#?\s*", " ", (CI / name).read_text(encoding="utf-8"))
        for words in re.findall(r"(?:\./|/opt/meshproof/)meshproof ((?:[a-z]+ )*[^\n;|)`]*)", text):
            verbs = re.match(r"((?:testbed |image )?[a-z]+)", words)
            assert verbs, words
            yield name, verbs[1], re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", words)


def parameters(verbs: str) -> set[str]:
    command: click.Command = typer.main.get_command(cli.application(verbs.split()[0]))  # type: ignore[assignment]
    for verb in verbs.split():
        command = command.commands[verb]  # type: ignore[attr-defined]
    return {option for one in command.params for option in one.opts}


def test_every_command_and_option_exists() -> None:
    found = list(called())
    assert {name for name, _, _ in found} >= {"github-actions.yml", "gitlab-ci.yml", "systemd/meshproof.service"}
    assert {"run", "cleanup", "testbed digest", "testbed import", "testbed export"} <= {verbs for _, verbs, _ in found}
    for name, verbs, options in found:
        assert set(options) <= parameters(verbs), (name, verbs)


def test_every_variable_of_ours_is_a_setting() -> None:
    """Another one would be refused as a misspelt setting, and nothing would be proven."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS
    for name in ALL:
        text = (CI / name).read_text(encoding="utf-8")
        assert set(re.findall(r"\bMESHPROOF_[A-Z_]+", text)) <= known, name


def test_options_in_containers_exist() -> None:
    cloud = next(step for step in load("cloudbuild.yaml")["steps"] if step["id"] == "prove")["args"]
    tekton = next(iter(yaml.safe_load_all((CI / "tekton.yaml").read_text(encoding="utf-8"))))["spec"]
    words = [*cloud, *next(one for one in tekton["params"] if one["name"] == "arguments")["default"]]
    assert cloud[0] == tekton["steps"][0]["args"][0] == "run"
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= parameters("run")


# -- exit codes

CODES = (0, 1, 2, 3, 130)
FAILS = {0: 0, 1: 1, 2: 2, 3: 0, 130: 130}
"""Exit code of a run → that of the job: 3 is reported, and fails nothing."""


def outcome(script: str, folder: Path, code: int, shell: str = "bash") -> subprocess.CompletedProcess[str]:
    """The end of a recipe's script where meshproof ends with this code."""
    program = folder / "meshproof"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    words = [shell, "-eo", "pipefail", "-c"] if shell == "bash" else [shell, "-c"]
    return subprocess.run([*words, script], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("code", [0, 2])
def test_a_digest_that_cannot_be_computed_ends_the_job(code: int, tmp_path: Path) -> None:
    """In an argument of `echo` its exit code was lost: the job went on with a cache of no key."""
    [computed] = [step["run"] for step in steps("embedded").values() if "testbed digest" in step.get("run", "")]
    ended = outcome(computed.replace("$GITHUB_OUTPUT", str(tmp_path / "output")), tmp_path, code)
    assert ended.returncode == code


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("job", ["cluster", "embedded"])
def test_github_fails_by_the_exit_code(job: str, code: int, tmp_path: Path) -> None:
    ended = outcome(steps(job)["Prove"]["run"], tmp_path, code)
    assert ended.returncode == FAILS[code]
    assert ("::warning" in ended.stdout) == (code == 3)


@pytest.mark.parametrize("code", CODES)
def test_tekton_fails_by_the_exit_code(code: int, tmp_path: Path) -> None:
    task = next(iter(yaml.safe_load_all((CI / "tekton.yaml").read_text(encoding="utf-8"))))["spec"]
    assert task["steps"][0]["onError"] == "continue"
    (tmp_path / "code").write_text(str(code))
    script = task["steps"][1]["script"].replace("$(steps.step-prove.exitCode.path)", "code")
    ended = outcome(script.replace("$(results.exit-code.path)", "result"), tmp_path, code, "sh")
    assert ended.returncode == FAILS[code]
    assert (tmp_path / "result").read_text() == str(code)


@pytest.mark.parametrize("code", CODES)
def test_cloud_build_fails_by_the_exit_code(code: int, tmp_path: Path) -> None:
    build = {step["id"]: step for step in load("cloudbuild.yaml")["steps"]}
    assert build["prove"]["allowFailure"], "the reports are copied before the verdict counts"
    folder = tmp_path / "latest"
    folder.mkdir()
    (folder / "conformance.json").write_text(json.dumps({"run": {"exit": code}}))
    script = build["verdict"]["args"][1].replace("/workspace/results", str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (0 if ended.returncode in build["verdict"]["allowExitCodes"] else ended.returncode) == FAILS[code]
    (folder / "conformance.json").write_text(json.dumps({"run": {"exit": None}}))
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (died.returncode, died.stderr) == (1, "the run came to no end: see the step prove\n")
    shutil.rmtree(folder)
    assert "no run was begun" in subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr


def test_gitlab_warns_of_3_alone() -> None:
    recipe = load("gitlab-ci.yml")
    assert recipe[".prove"]["allow_failure"] == {"exit_codes": [3]}
    assert all(recipe[job]["extends"] == ".prove" for job in ("cluster", "embedded"))


def test_the_scripts_are_shell() -> None:
    gitlab = load("gitlab-ci.yml")
    scripts = ["\n".join([*gitlab[job]["script"], *gitlab[job]["after_script"]]) for job in ("cluster", "embedded")]
    scripts += [step["run"] for job in ("cluster", "embedded") for step in steps(job).values() if "run" in step]
    cloud = [step for step in load("cloudbuild.yaml")["steps"] if step.get("entrypoint") == "bash"]
    scripts += [step["args"][1].replace("$$", "$") for step in cloud]
    assert len(scripts) > 10
    for script in scripts:
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, (script, checked.stderr)


def test_gitlab_takes_the_parts_of_this_checkout_and_no_others(tmp_path: Path) -> None:
    """Once without a bundle, once with one; of an older checkout one is there too."""
    *script, proof = load("gitlab-ci.yml")["embedded"]["script"]
    assert proof == "./meshproof run --workers 2 --deadline 100m"
    program = tmp_path / "meshproof"
    program.write_text(
        '#!/bin/sh\necho "$*" >>calls\n[ "$2" = digest ] && echo abc\n[ "$2" = export ] && touch "$3"\nexit 0\n'
    )
    program.chmod(0o755)
    (tmp_path / "testbed-old.bundle").touch()
    for _ in range(2):
        subprocess.run(["bash", "-eo", "pipefail", "-c", "\n".join(script)], cwd=tmp_path, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == [
        *("testbed digest", "testbed build", "testbed export testbed-abc.bundle"),
        *("testbed digest", "testbed import testbed-abc.bundle"),
    ]
    assert [path.name for path in tmp_path.glob("*.bundle")] == ["testbed-abc.bundle"]


# -- Tekton


def accepted(program: Path, text: str, folder: Path) -> str:
    """What Tekton's own validation says of it; empty where it accepts it."""
    (folder / "tekton.yaml").write_text(text)
    return subprocess.run([program, folder / "tekton.yaml"], capture_output=True, text=True).stdout


def test_tekton_accepts_the_task_and_the_pipeline(tmp_path: Path) -> None:
    program = tools.built("tekton")
    if program is None:
        pytest.skip("Tekton's validation is not built here; the nightly end-to-end test builds it")
    text = (CI / "tekton.yaml").read_text(encoding="utf-8")
    assert accepted(program, text, tmp_path) == ""
    assert 'unknown field "onErr"' in accepted(program, text.replace("onError:", "onErr:"), tmp_path)
    assert "non-existent variable" in accepted(program, text.replace("params.image)", "params.imag)"), tmp_path)


# -- systemd


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed on this machine")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """With the path of this checkout, since it looks for the program."""
    for name in ("meshproof.service", "meshproof.timer"):
        text = (CI / "systemd" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/meshproof", str(ROOT)))
    command = ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.iterdir()))]
    checked = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_unit_ends_a_run_as_a_run_ends_itself() -> None:
    text = (CI / "systemd/meshproof.service").read_text(encoding="utf-8")
    unit = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert (unit["Type"], unit["Restart"], unit["KillMode"], unit["SuccessExitStatus"]) == (
        *("oneshot", "no", "mixed", "3"),
    )
