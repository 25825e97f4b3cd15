"""A stand-in for everything behind the plugin: the last part of a probe's path says what happens to its case."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.kube.pods import RunningImage
from clients.model.case import Case
from clients.model.errors import AbandonedError, LackingError
from clients.model.evidence import Evidence, Grade, Subject, Verdict
from clients.model.expect import status
from clients.model.probe import Workload
from clients.model.stage import Observation, Stage
from clients.proof import diagnostics, in_force
from clients.proof import prove as proof
from reports.record.model import MeshRecord, TargetInfo
from runner.session import fixtures
from runner.session.planning import mistakes
from runner.session.run_context import RunContext
from runner.target.descriptor import TargetDescriptor

SLEEP = Workload("mtls-client", "sleep", "sleep")
CAPABILITIES = (
    "auto-mtls",
    "jwt",
    "mesh-wide",
    "own-iap-tokens",
    "own-tokens",
    "plaintext-client",
    "sidecar-injection",
)


def case(control: str, what: str, variant: str = "") -> Case:
    """A case that does `what`: pass, slow, fail, inconclusive, crash, wait, error. Its stage changes its outcome."""
    probe = SLEEP.get(f"http://httpbin.mtls-service:8000/{what}")
    return Case(control, probe, status(200), before=status(503), variant=variant)


def trace(text: str) -> None:
    """Write a line of the trace that the test reads."""
    with Path(os.environ["FAKE_TRACE"]).open("a") as file:
        file.write(f"{time.monotonic():.4f} {os.getpid()} {text}\n")


class Running:
    """Stands in for `RunningStage`."""

    def __init__(self, rig: Any, stage: Stage, cases: list[Case], _others: object = ()) -> None:
        self.rig, self.stage, self.cases = rig, stage, cases
        never = Observation(
            SLEEP.get("http://httpbin.mtls-service:8000/ip"), status(403), 0.0, problem="expected 403, saw 200"
        )
        self.settled = (never,) if stage.name == "unsettled" else ()
        self.worker = rig.overlay.worker

    def reach(self, step: str) -> None:
        """There are no steps."""

    def __enter__(self) -> Running:
        trace(f"enter {self.stage.name} {','.join(case.id for case in self.cases)}")
        if self.stage.name == "broken":
            from clients.model.errors import ClusterError

            raise ClusterError("the stage cannot be made", "repair it")
        if self.stage.name == "unseen":
            raise LackingError("the target lacks client-address (a forwarded port hides it)", "give an address")
        time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        trace(f"exit {self.stage.name}")
        if self.stage.name == "sticky":
            from clients.model.errors import ClusterError

            raise ClusterError("still there")


def wait_for_ever(running: Running) -> None:
    """Until the case is abandoned."""
    for _ in range(600):
        if running.rig.prober.abandoned.is_set():
            raise AbandonedError
        time.sleep(0.05)


def prove_case(running: Running, case: Case, subject: Subject, *_: object) -> Evidence:
    """Stands in for `clients.proof.prove.prove_case`."""
    what = case.probe.url.rsplit("/", 1)[-1]
    trace(f"prove {case.id}")
    if what == "crash":
        time.sleep(1.0)  # by then the cases that run in parallel are recorded
        os._exit(3)
    if what == "wait":
        time.sleep(1.0)  # by then the cases that run in parallel are recorded
        Path(os.environ["FAKE_TRACE"] + ".waiting").touch()
        wait_for_ever(running)
    if what == "slow":
        time.sleep(1.0)
        what = "pass"
    if what == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for_ever(running)
    if what == "error":
        raise RuntimeError("a fault of ours")
    verdict = Verdict(what)
    grade = Grade.FULL if verdict is Verdict.PASS else None
    return Evidence.of(subject, verdict, f"because {what}", observed=what, grade=grade, worker=running.worker)


class FakeTarget:
    """Plugin of the inner pytest: no cluster, the rest of the way is the real one."""

    def pytest_meshproof_target(self, config: pytest.Config) -> TargetDescriptor:
        trace("environment")
        if name := os.environ.get("FAKE_SIGNAL"):  # what ends the run while the target is brought up
            if name == "deadline":
                Path(os.environ["FAKE_TRACE"] + ".waiting").touch()
            else:
                os.kill(os.getpid(), getattr(signal, name))
            time.sleep(60)
        lacking = json.loads(os.environ.get("FAKE_LACKS", "[]"))
        kind = os.environ.get("FAKE_KIND", "embedded")
        mesh = MeshRecord("istio", "1.31.1", "default")
        return TargetDescriptor(
            TargetInfo(kind, "1.34.4", mesh, images={"sleep": "curl:8"}),
            capabilities=tuple(c for c in CAPABILITIES if c not in lacking),
        )


@pytest.fixture(scope="session")
def rig(descriptor: TargetDescriptor, run_context: RunContext) -> object:
    """Stands in for the plugin's; the inner conftest takes it over."""
    return SimpleNamespace(
        cluster=SimpleNamespace(api=SimpleNamespace(lost_at=0.0)),
        writes_access_log=False,  # so that no case is looked for elsewhere
        remove_other_environments=lambda environment: None,
        overlay=SimpleNamespace(worker=run_context.worker),
        environments=SimpleNamespace(prepare_in_background=lambda environment: None),
        prober=SimpleNamespace(abandoned=threading.Event()),
        workloads=SimpleNamespace(images={RunningImage("sleep", "curl:8", "curl@sha256:aa")}),
    )


STAND_INS = (
    (fixtures, "RunningStage", Running),
    (proof, "prove_case", prove_case),
    (diagnostics, "collect", lambda rig, stage, folder: folder.mkdir(parents=True)),
    (in_force, "look", lambda running, cases: in_force.InForce()),
    (mistakes, "_manifests_of", lambda stage: ()),  # the stages' manifests are names only
)


def install(config: pytest.Config) -> None:
    """Put the stand-ins in; called by the inner conftest."""
    for module, name, value in STAND_INS:
        setattr(module, name, value)
    config.pluginmanager.register(FakeTarget(), "fake-target")
