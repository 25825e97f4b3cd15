"""Runs a job of a workflow for GitHub Actions on this machine by `act`: without containers and without any network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.standins import ci_job

ACTIONS = {
    "actions/checkout@v4": ("repository", "ref", "token", "path", "clean", "fetch-depth", "persist-credentials"),
    "actions/setup-python@v5": ("python-version", "python-version-file", "cache", "check-latest"),
    "actions/cache@v4": ("path", "key", "restore-keys", "fail-on-cache-miss", "lookup-only"),
    "actions/upload-artifact@v4": ("name", "path", "if-no-files-found", "retention-days", "include-hidden-files"),
}
"""Action → the inputs of its own that its stand-in takes."""
OUTPUTS = {"actions/cache@v4": "cache-hit"}
MACHINES = ("ubuntu-24.04", "self-hosted")
"""First labels of the machines that the recipe asks for: this machine takes their place."""
ALONE = ("unshare", "--net")
"""No network, not even loopback: no image and no action can be fetched. Needs root."""


@dataclass(frozen=True)
class CiUse:
    """One use of an action or of meshproof within a job.

    Attributes:
        what: the action's name without its version, or the command with its arguments.
        given: inputs of the action.
        environment: some variables of the command.
        files: file of the job's folder when the command began → its mode and text.
    """

    what: str
    given: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EndedCiJob:
    """A job that has ended."""

    code: int
    output: str
    state: Path

    @property
    def uses(self) -> list[CiUse]:
        """All uses, in order."""
        file = self.state / "used.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [CiUse(**json.loads(line)) for line in lines]

    @property
    def order(self) -> list[str]:
        """What was used, in order."""
        return [use.what for use in self.uses]

    def use(self, start: str) -> CiUse:
        """The only use that begins so."""
        [found] = [use for use in self.uses if use.what.startswith(start)]
        return found

    @property
    def uploads(self) -> dict[str, str]:
        """Uploaded file, below the artifact's name → its text."""
        root = self.state / "uploads"
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}

    def shown(self, command: str) -> list[str]:
        """What the job's page shows by this command of the runner's: `summary`, `warning`."""
        return [entry.get("content") or entry["arg"] for entry in self._entries if entry.get("command") == command]

    @property
    def log(self) -> str:
        """What the steps did, and how it ended; without remarks about a folder that is no checkout of git."""
        lines = [f"{one.get('step', '')}: {one['msg']}" for one in self._entries if one["level"] == "info"]
        return "\n".join([*lines, *(line for line in self.output.splitlines() if not line.startswith("{"))])

    @property
    def _entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]


@dataclass(frozen=True)
class CiRunner:
    """Prepares a folder for one job, and runs it."""

    program: Path
    folder: Path

    def run(
        self,
        recipe: Path,
        job: str,
        *,
        codes: Mapping[str, int | None],
        caches: Mapping[str, str],
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> EndedCiJob:
        """Run one job to its end.

        Args:
            codes: beginning of a command of meshproof → its exit code, or None: it goes on, and the job is cancelled.
            caches: key → text of the file that an earlier night has stored under it.
            settings: the repository's variables.
        """
        self.prepare(codes, caches)
        words = [*ALONE, str(self.program), "schedule", "--job", job, "--workflows", str(recipe.resolve()), "--json"]
        words += ["--directory", str(self.folder / "work"), "--no-skip-checkout", "--no-cache-server"]
        words += ["--action-cache-path", str(self.folder / "act")]
        words += [word for machine in MACHINES for word in ("--platform", f"{machine}=-self-hosted")]
        words += [word for name in ACTIONS for word in ("--local-repository", f"{name}={self._action(name)}")]
        words += [word for name, value in settings.items() for word in ("--var", f"{name}={value}")]
        words += [word for name, value in secrets.items() for word in ("--secret", f"{name}={value}")]
        words += ["--secret", "GITHUB_TOKEN=none"]
        return EndedCiJob(
            self._ended(words, cancel=None in codes.values()), self._output.read_text(), self.folder / "state"
        )

    @property
    def _output(self) -> Path:
        return self.folder / "output"

    def _ended(self, words: list[str], *, cancel: bool) -> int:
        """Exit code of the runner; `cancel` ends the job by SIGINT, as soon as a command waits for that."""
        with self._output.open("w") as output:
            process = subprocess.Popen(
                words, cwd=self.folder / "work", env=self._environment(), stdout=output, stderr=subprocess.STDOUT
            )
        try:
            if cancel:
                wait_for(self.folder / "state" / ci_job.WAITS, process)
                process.send_signal(signal.SIGINT)
            return process.wait(ci_job.PATIENCE_S)
        finally:
            process.kill()
            process.wait()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'state/bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "ACT_DISABLE_VERSION_CHECK": "1",
            ci_job.STATE: str(self.folder / "state"),
        }

    def prepare(self, codes: Mapping[str, int | None], caches: Mapping[str, str]) -> None:
        """Everything that the job finds: the checkout, what is cached, the stand-ins."""
        state = self.folder / "state"
        for name in ("checkout", "caches", "bin"):
            (state / name).mkdir(parents=True)
        (self.folder / "work").mkdir()
        (state / "codes.json").write_text(json.dumps(dict(codes)))
        for key, text in caches.items():
            (state / "caches" / key).write_text(text)
        (state / "checkout/requirements.lock").write_text("pytest==9.0.0\n")
        for program in (state / "checkout/meshproof", state / "bin/node"):
            program.write_text(f'#!/bin/sh\nexec {started(program.name)} "$@"\n')
            program.chmod(0o755)
        for name in ACTIONS:
            self._action(name).mkdir(parents=True)
            (self._action(name) / "action.yml").write_text(yaml.safe_dump(definition(name)))

    def _action(self, name: str) -> Path:
        return self.folder / "actions" / name


def wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the file exists, or the process has ended."""
    end = time.monotonic() + ci_job.PATIENCE_S
    while not file.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def started(name: str) -> str:
    """The shell's words that start a stand-in."""
    return f"{sys.executable} {os.path.realpath(ci_job.__file__)} {name}"


def definition(name: str) -> dict[str, Any]:
    """The `action.yml` of a stand-in."""
    # without the condition nothing of it would be done in a job that is cancelled
    step = {"id": "it", "if": "always()", "shell": "bash", "env": {ci_job.INPUTS: "${{ toJSON(inputs) }}"}}
    outputs = {OUTPUTS[name]: {"value": f"${{{{ steps.it.outputs.{OUTPUTS[name]} }}}}"}} if name in OUTPUTS else {}
    return {
        "name": name,
        "description": "a stand-in",
        "inputs": {each: {"description": each, "required": False} for each in ACTIONS[name]},
        "outputs": outputs,
        "runs": {"using": "composite", "steps": [{**step, "run": started(name.split("@")[0])}]},
    }
