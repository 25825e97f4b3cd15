"""Compares a suite in two processes with a serial shell script of its document's commands and the suite's waits."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import common
from clients.apply.yaml_text import dump
from clients.identity.tokens import MINTED, TokenIssuer
from clients.kube.cleanup import cleanup
from clients.kube.cluster import Cluster
from clients.kube.lease import RunLease
from clients.model.case import Case
from clients.model.errors import ClusterError, ConflictError
from clients.model.stage import Stage
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage
from runner.config import catalogue, settings
from testbed.api import Up

MANIFESTS = common.ROOT / "manifests"
REST_S = 10.0
"""Pause before each timed part, in seconds: the node still removes pods of the last part after the API server has."""


@dataclass(frozen=True)
class Topic:
    """A topic to compare.

    Attributes:
        name: folder below `suites/` and `manifests/`.
        controls: prefix of its controls' ids.
        title: title of the table.
        compared: explains the figures to their reader.
        script: writes the script into a folder that has `manifests/`, `tokens/` and `confirmations`; returns its path.
    """

    name: str
    controls: str
    title: str
    compared: str
    script: Callable[[Rig, Path], Path]

    @property
    def modules(self) -> Iterator[ModuleType]:
        """The suite's modules that have a stage, by name."""
        for file in sorted((common.ROOT / "suites" / self.name).glob("test_*.py")):
            module = importlib.import_module(f"suites.{self.name}.{file.stem}")
            if hasattr(module, "STAGE"):
                yield module

    def cases(self, module: ModuleType) -> list[Case]:
        """Probed cases of a module."""
        return [case for case in getattr(module, "CASES", []) if case.control.startswith(self.controls)]


def arguments(topic: Topic, about: str | None) -> argparse.ArgumentParser:
    """The options."""
    parser = common.options(topic.name, about or "")
    parser.add_argument("--rounds", type=int, default=1, help="rounds, each with both ways (default: 1)")
    parser.add_argument("-n", "--workers", type=int, default=2, help="test processes of the suite (default: 2)")
    return parser


def measure(topic: Topic, given: argparse.Namespace) -> dict[str, Any]:
    """Measure suite and script in turn on the running testbed."""
    up = common.testbed()
    needed = confirmations(topic, up)
    common.progress(f"{len(needed)} checks; confirmations: {sorted(set(needed.values()))}")
    suites, scripts = [], []
    for number in range(given.rounds):
        common.progress(f"round {number + 1} of {given.rounds}: the suite")
        time.sleep(REST_S)
        suites.append(suite(topic, given.workers))
        common.progress(f"round {number + 1} of {given.rounds}: the script")
        time.sleep(REST_S)
        scripts.append(script(topic, up, needed))
    ratio = statistics.median(b[0] / a[0] for a, b in zip(suites, scripts, strict=True))
    suite_s, script_s = (statistics.median(seconds for seconds, _, _ in seen) for seen in (suites, scripts))
    rows = [
        (f"meshproof run suites/{topic.name} -n {given.workers}", suite_s, suites[0][1], suites[0][2], 1),
        ("the script, serial", script_s, scripts[0][1], scripts[0][2], ratio),
    ]
    common.table(
        f"{topic.title}, {given.rounds} round(s)", ("way", "wall, s", "controls' cases", "probes", "ratio"), rows
    )
    return {
        "wall_s": round(suite_s, 1),
        "ratio_to_serial_script": round(ratio, 2),
        "script_s": round(script_s, 1),
        "compared": topic.compared,
    }


def confirmations(topic: Topic, up: Up) -> dict[str, int]:
    """Id of a probed case → number of confirmations that the suite demands, by a rig. Not part of the measurement."""
    needed: dict[str, int] = {}
    with common.rig(up, MANIFESTS, settings.load().policy) as rig:
        for module in topic.modules:
            stage: Stage = module.STAGE
            rig.environments.ensure(stage.environment)
            with RunningStage(rig, Stage(stage.name, environment=stage.environment, scaled=stage.scaled), ()):
                needed |= {
                    case.id: max(case.repeat, rig.certainty.required_confirmations(case.probe))
                    for case in topic.cases(module)
                }
    return needed


def suite(topic: Topic, workers: int) -> tuple[float, int, int]:
    """Wall time in seconds, cases, probes.

    Raises:
        ClusterError: it did not pass.
    """
    with tempfile.TemporaryDirectory(prefix="meshproof-bench-") as folder:
        command = [sys.executable, "-m", "runner", "run", f"suites/{topic.name}", "-n", str(workers), "--out", folder]
        for control in catalogue.load().controls:
            command += ["--control", control] if control.startswith(topic.controls) else []
        started = time.monotonic()
        ended = subprocess.run(command, cwd=common.ROOT, stdout=sys.stderr)
        seconds = time.monotonic() - started
        if ended.returncode:
            raise ClusterError(f"the suite ended with {ended.returncode}", "it must pass for a valid time")
        report = json.loads((Path(folder) / "latest" / "conformance.json").read_text(encoding="utf-8"))
    return seconds, len(report["cases"]), sum(case["attempts"] for case in report["cases"])


def script(topic: Topic, up: Up, needed: dict[str, int]) -> tuple[float, int, int]:
    """Wall time in seconds, cases, probes.

    Raises:
        ClusterError: a check failed, or the checks are not those of the suite.
        ConflictError: a namespace of the lab exists already.
    """
    run = f"bench-{secrets.token_hex(3)}"
    cluster = Cluster.connect(up.kubeconfig)
    with (
        RunLease(cluster, f"meshproof bench {topic.name}, pid {os.getpid()}", run=run),
        tempfile.TemporaryDirectory() as folder,
    ):
        rig = prepare(topic, up, Path(folder), run, needed)
        for name in rig.overlay.namespaces:
            if cluster.get("v1", "Namespace", name):
                raise ConflictError(f"namespace {name} exists already", "remove it, or run `meshproof cleanup`")
        programs = {"KUBECTL": " ".join(common.kubectl(up)), "ISTIOCTL": f"{up.istioctl} --kubeconfig {up.kubeconfig}"}
        environment = {**os.environ, **programs, "FOLDER": folder}
        try:
            started = time.monotonic()
            probes = follow(["sh", str(topic.script(rig, Path(folder)))], environment, common.progress)
            seconds = time.monotonic() - started
        finally:
            cleanup(cluster, run)
    if probes.keys() != needed.keys():
        raise ClusterError(f"the script and the suite differ in {sorted(probes.keys() ^ needed.keys())}")
    return seconds, len(probes), sum(probes.values())


def prepare(topic: Topic, up: Up, folder: Path, run: str, needed: dict[str, int]) -> Rig:
    """Write the script's input: manifests with the document's names, tokens, confirmations."""
    tokens = TokenIssuer()
    names = common.overlay(up, MANIFESTS / topic.name, run=run, prefix="", tokens=tokens)
    for path in sorted((MANIFESTS / topic.name).rglob("*.yaml")):
        target = folder / "manifests" / path.relative_to(MANIFESTS)
        target.parent.mkdir(parents=True, exist_ok=True)
        objects = names.objects(path.read_text(encoding="utf-8"), path.name)
        target.write_text(dump(objects), encoding="utf-8")
    (folder / "tokens").mkdir(mode=0o700)
    for kind in MINTED:
        (folder / "tokens" / kind).write_text(tokens.mint(kind), encoding="utf-8")
    (folder / "confirmations").write_text("".join(f"{name}\t{k}\n" for name, k in needed.items()), encoding="utf-8")
    return common.bare_rig(up, names, tokens, MANIFESTS)


def follow(command: list[str], environment: dict[str, str], report: Callable[[str], None]) -> dict[str, int]:
    """Run the script to its end; returns its probes by case id.

    Raises:
        ClusterError: it failed.
    """
    probes: dict[str, int] = {}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout or ():
            head, comma, tail = line.strip().rpartition(", ")
            if comma and tail.endswith(" probes"):
                probes[head.rsplit(" ", 1)[0]] = int(tail.split()[0])
                report(line.strip())
    if child.returncode:
        raise ClusterError(f"the script ended with {child.returncode}", "see what it printed above")
    return probes
