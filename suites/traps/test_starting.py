"""Init containers and Jobs under STRICT: a native sidecar serves them, a classic one comes too late or never ends."""

from __future__ import annotations

import pytest

from clients.kube.exec import exec_once
from clients.model.case import Case
from clients.model.expect import no_reply, reset, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, LEGACY, MESH

URL = f"{HTTPBIN}/ip"
FIRST_NATIVE = Workload("mtls-client", "starting-native", "first")
FIRST_CLASSIC = Workload("mtls-client", "starting-classic", "first")
"""Init containers that do not end."""
JOB_NATIVE, JOB_CLASSIC = (Workload("mtls-client", f"job-{kind}", "work") for kind in ("native", "classic"))
"""They end once the file is there."""
DONE = "/tmp/done"  # noqa: S108 - in the container
NO_PROXY = no_reply(OutcomeKind.RESET, OutcomeKind.REFUSED)

STAGE = Stage(
    "traps-starting",
    title="STRICT, and clients that start or end",
    environment=(*ENVIRONMENT, "traps/starting"),
    apply=("traps/pod-address/strict.yaml",),
    settle=(Settle(LEGACY.get(URL), reset(), before=status(200)),),
)

CASES = [
    Case("X-TRAP-START-01", FIRST_NATIVE.get(URL), status(200), before=status(200)),
    Case("X-TRAP-START-02", FIRST_CLASSIC.get(URL), NO_PROXY, twin=MESH.get(URL)),
    Case("X-TRAP-START-03", JOB_NATIVE.get(URL), status(200)),
    Case("X-TRAP-START-03", JOB_CLASSIC.get(URL), status(200), variant="classic"),
]


def test_case(case, prove):
    prove(case)


def end(rig, job: Workload) -> None:
    for pod in rig.workloads.pods(job):
        exec_once(rig.cluster, pod, job.container, ["touch", DONE], timeout_s=10.0)


def is_complete(rig, job: Workload) -> bool:
    found = rig.cluster.get("batch/v1", "Job", job.app, rig.overlay.namespace(job.namespace)) or {}
    conditions = found.get("status", {}).get("conditions", ())
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)


@pytest.mark.control("X-TRAP-START-04")
def test_a_job_with_a_native_sidecar_completes(observe, stage):
    end(stage.rig, JOB_NATIVE)

    def problem():
        return None if is_complete(stage.rig, JOB_NATIVE) else "the Job is not complete"

    observe("X-TRAP-START-04", "complete once its container has ended", problem)


@pytest.mark.control("X-TRAP-START-05")
def test_a_job_with_a_classic_sidecar_does_not_complete(observe, stage):
    rig = stage.rig
    end(rig, JOB_CLASSIC)

    def problem():
        namespace = rig.overlay.namespace(JOB_CLASSIC.namespace)
        [pod] = rig.cluster.objects("v1", "Pod", namespace, labels=f"app={JOB_CLASSIC.app}")
        states = {one["name"]: one["state"] for one in pod["status"].get("containerStatuses", ())}
        if "terminated" not in states.get(JOB_CLASSIC.container, {}):
            return "its container has not ended"
        if "running" not in states.get("istio-proxy", {}):
            return "its sidecar has ended"
        return "the Job is complete" if is_complete(rig, JOB_CLASSIC) else None

    observe("X-TRAP-START-05", "its container has ended, its sidecar runs on, and the Job is not complete", problem)
