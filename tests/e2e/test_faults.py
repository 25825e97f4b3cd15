"""What a run needs breaks under it. Each test states the result: what the run says, and that nothing is lost or left.

No fault is the mesh's doing, so no case may fail for it: a case passes, or is inconclusive with its cause.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from e2e_runs import MESHPROOF, PYTEST, EndedRun, StartedRun, controls, start

from clients.kube.cleanup import cleanup, find
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.model.errors import MeshproofError
from testbed import api
from tests.mutants import outside
from tests.standins.busy_api import busy_api

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

SUITE = "suites/lab"
CONTROLS = controls("LAB-NSMTLS-02", "LAB-NSMTLS-03", "LAB-NSMTLS-04", "LAB-AUTHZ-01", "LAB-AUTHZ-02", "LAB-AUTHZ-03")
CASES = {word for word in CONTROLS if word.startswith("LAB-")}
REPORTS = {"conformance.json", "index.html", "junit.xml", "summary.md"}
WEBHOOKS = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "istio-validator-istio-system")
POLICIES, KINDS = "security.istio.io/v1", ("PeerAuthentication", "AuthorizationPolicy")
FINALIZER = "example.com/nobody-serves-this"
CLEAN_UP = "X-CLEAN-UP"
"""The case of a stage that could not be taken back: no namespace can be deleted while a group does not answer."""
DEAD_GROUP = "dead.example.com"
MOMENTS = 10
CLOCK_OFF_S = 270
"""From 4 minutes on a proxy took a token for good that had expired 5 minutes before by this machine's clock; the
certificates of the embedded cluster are valid from 5 minutes before its start."""
BY_THE_CLOCK = "LAB-JWT-04"
Start = Callable[..., StartedRun]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Start]:
    """Starts runs, none of which outlives the test."""
    started: list[StartedRun] = []

    def begin(*words: str, **how: Any) -> StartedRun:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(start(folder, *words, **how))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.abandon()


def run(running: Start, *words: str, **how: Any) -> StartedRun:
    """The run that is disturbed."""
    return running(*MESHPROOF, "run", "--out", "{out}", *words, *CONTROLS, SUITE, **how)


def deployed(cluster: Cluster, name: str = "mtls-client", app: str = "sleep") -> Callable[[], bool]:
    """Whether the run's environment is there: its clients are ready, or another app is."""

    def there() -> bool:
        spaces = [one.name for one in find(cluster) if one.kind == "Namespace" and one.name.endswith(name)]
        return any(pod.ready for space in spaces for pod in cluster.pods(space, f"app={app}"))

    return there


def answers(cluster: Cluster) -> bool:
    """Whether the API server answers."""
    try:
        return cluster.get("v1", "Namespace", "default") is not None
    except MeshproofError:
        return False


def survived(ran: EndedRun, cases: Set[str] = CASES) -> None:
    """Every case has a verdict, none failed, and one that is not a pass says why."""
    assert ran.report["run"]["exit"] == ran.code, ran.output[-3000:]
    assert {case["control"] for case in ran.report["cases"]} == cases, ran.output[-3000:]
    for case in ran.report["cases"]:
        assert case["verdict"] in {"pass", "inconclusive"}, (case["id"], case["reason"])
        assert case["verdict"] == "pass" or case["reason"], case["id"]
    assert ran.code == (0 if set(ran.verdicts.values()) == {"pass"} else ran.code)
    assert ran.code in {0, 1, 3}, ran.output[-3000:]
    assert {path.name for path in ran.files} >= REPORTS
    assert "Traceback" not in ran.output
    assert ran.left == []


def node(*words: str) -> None:
    """Run a command in the node."""
    api.run_in_node(*words)


def test_api_server_restarts(running: Start, cluster: Cluster) -> None:
    """The API server is killed during a run: the run goes on, or names it; all is removed.

    It does not end by itself: it would first wait for its watches, for a minute on a busy node, in which any run loses
    its lease.
    """
    one = run(running)
    one.until("its environment is there", deployed(cluster))
    node("sv", "kill", "/run/service/kube-apiserver")
    ran = one.end()
    outside.wait("the API server", lambda: answers(cluster))
    survived(ran)


def test_shells_are_cut(running: Start, cluster: Cluster) -> None:
    """Every exec of the run is cut twice: probes that did not run are asked again, and are no denials."""
    one = run(running)
    one.until("its environment is there", deployed(cluster))
    for _ in range(2):
        for space in {item.name for item in find(cluster) if item.kind == "Namespace"}:
            for pod in cluster.objects("v1", "Pod", space, "app=sleep"):
                for pid in outside.pids(pod["metadata"]["uid"], "sh"):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(2)
    survived(one.end())


def test_a_client_is_evicted(running: Start, cluster: Cluster) -> None:
    """A client's pod is evicted: its successor goes on, or the case says that the pod has gone."""
    one = run(running)
    one.until("its environment is there", deployed(cluster))
    [space] = [item.name for item in find(cluster) if item.kind == "Namespace" and item.name.endswith("-mtls-client")]
    [pod] = cluster.pods(space, "app=sleep")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name, "namespace": space}}
    cluster.api.json("POST", f"/api/v1/namespaces/{space}/pods/{pod.name}/eviction", body=body)
    survived(one.end())


def evicted(cluster: Cluster, namespace: str, app: str) -> bool:
    """Evict the ready pods of an app, as a consolidation of nodes does; whether there was one."""
    pods = [pod for pod in cluster.pods(namespace, f"app={app}") if pod.ready]
    for pod in pods:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod.name}"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name, "namespace": namespace}}
        cluster.api.json("POST", f"{path}/eviction", body={**body, "deleteOptions": {"gracePeriodSeconds": 0}})
    return bool(pods)


def test_a_server_is_evicted_again_and_again(running: Start, cluster: Cluster) -> None:
    """A server is away for most of the run: a case that fails by it is inconclusive, and names a pod that was taken."""
    one = run(running)
    ours = f"{MANAGED_BY_LABEL}={MANAGER}"

    def spaces() -> list[str]:
        found = [body["metadata"]["name"] for body in cluster.objects("v1", "Namespace", labels=ours)]
        ready = [name for name in found if any(pod.ready for pod in cluster.pods(name))]
        return sorted((name for name in ready if name.endswith("-mtls-service")), key=len)

    one.until("its servers are there", lambda: len(spaces()) > 1)  # there is a strict one, too
    space = spaces()[0]
    taken = 0
    while one.process.poll() is None:
        with suppress(MeshproofError):  # a pod that is gone already, or its namespace
            taken += evicted(cluster, space, "httpbin")
        time.sleep(0.2)
    ran = one.end()
    assert taken > 1
    survived(ran)
    reasons = [case["reason"] for case in ran.report["cases"]]
    assert any(f"pod {space}/httpbin-" in reason and "not by this run" in reason for reason in reasons), reasons


def test_istiod_restarts_in_a_push(running: Start, cluster: Cluster) -> None:
    """istiod restarts when the first policy is there: the change comes later, and is waited for."""
    one = run(running)
    one.until("a policy is applied", lambda: any(cluster.objects(POLICIES, kind) for kind in KINDS))
    for pod in cluster.pods("istio-system", "app=istiod"):
        path = f"/api/v1/namespaces/istio-system/pods/{pod.name}"
        cluster.api.json("DELETE", path, body={"gracePeriodSeconds": 0})
    survived(one.end())
    outside.wait("istiod", lambda: all(pod.ready for pod in cluster.pods("istio-system", "app=istiod")))


def test_the_validation_webhook_is_down(running: Start, cluster: Cluster) -> None:
    """istiod's webhook answers nothing: no policy can be applied, and the cases name the webhook."""
    before = cluster.get(*WEBHOOKS)
    assert before is not None
    outside.set_replicas(cluster, "istio-system", "istiod", 0)
    one = running(*MESHPROOF, "run", "--out", "{out}", *controls("LAB-NSMTLS-03"), SUITE)
    try:
        ran = one.end()
    finally:
        outside.set_replicas(cluster, "istio-system", "istiod", 1)
    assert ran.code in {1, 2, 3}, ran.output[-3000:]
    assert "Traceback" not in ran.output
    assert all(verdict == "inconclusive" for verdict in ran.verdicts.values()) if ran.folder else "istiod" in ran.output
    assert "istio" in (ran.report["cases"][0]["reason"] if ran.folder else ran.output)


def test_too_busy_an_api_server(running: Start, cluster: Cluster, tmp_path: Path, testbed: api.Up) -> None:
    """One request in eight is answered 429 and one watch in eight 410: the run waits and asks again."""
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    with busy_api(cluster, every=8) as busy:
        where = str(busy.kubeconfig(tmp_path / "kubeconfig"))
        ran = run(running, "--kubeconfig", where, environment=images).end()
        assert busy.refused > MOMENTS
    survived(ran)


@pytest.mark.parametrize("direction", ["+", "-"])
def test_the_clock_is_off(direction: str, running: Start) -> None:
    """The machine's clock is four and a half minutes off: no verdict changes, nor those that tokens' times decide."""
    program = shutil.which("faketime")
    if program is None:
        pytest.skip("faketime is not installed: apt-get install faketime")
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    environment = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": f"{direction}{CLOCK_OFF_S}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    ran = run(running, *controls(BY_THE_CLOCK), environment=environment).end()
    survived(ran, CASES | {BY_THE_CLOCK})


def test_a_worker_is_killed(running: Start, cluster: Cluster) -> None:
    """One of two workers is killed: the run ends, names the cases that were not run, and all is removed."""
    one = run(running, "-n", "2")
    one.until("its environment is there", deployed(cluster))
    [controller] = one.children
    workers = [int(pid) for pid in Path(f"/proc/{controller}/task/{controller}/children").read_text().split()]
    os.kill(workers[0], signal.SIGKILL)
    ran = one.end()
    assert ran.code in {1, 3}, ran.output[-3000:]
    assert all(verdict != "fail" for verdict in ran.verdicts.values())
    seen = {case["control"] for case in ran.report["cases"]} | set(map(str, ran.report["not_run"]))
    assert any("crashed" in text or "died" in text for text in (ran.output, *seen)), ran.output[-3000:]
    assert {path.name for path in ran.files} >= REPORTS


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_kill_9_at_any_moment(moment: int, running: Start, cluster: Cluster) -> None:
    """The whole run is killed at a random moment: `cleanup` removes everything that it left, and a new run starts."""
    one = run(running, "-n", "2")
    time.sleep(random.Random(moment).uniform(1, 25))
    one.abandon()
    swept = running(*MESHPROOF, "cleanup").end()
    assert swept.code == 0, swept.output
    assert find(cluster) == []


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory at the folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "meshproof", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("size", ["16k", "64k", "256k"])
def test_the_disk_is_full(size: str, tmp_path: Path) -> None:
    """The report's folder is on a full disk: one line, exit 2, what was written is kept, and all is removed."""
    folder = tmp_path / "run"
    folder.mkdir()
    with mounted(folder / "out", f"size={size}"):
        ran = start(folder, *MESHPROOF, "run", "--out", "{out}", *CONTROLS, SUITE).end()
        assert any((folder / "out").iterdir()), "what was written is kept"
    assert ran.code == 2, ran.output[-3000:]
    assert "Traceback" not in ran.output
    lines = [line for line in ran.output.splitlines() if "No space left" in line or "full" in line]
    assert len(lines) == 1, ran.output[-3000:]


def test_the_report_folder_is_read_only(tmp_path: Path, cluster: Cluster) -> None:
    """Nothing can be written where the report should be: one line, exit 2, before anything is made."""
    folder = tmp_path / "run"
    folder.mkdir()
    with mounted(folder / "out", "ro"):
        ran = start(folder, *MESHPROOF, "run", "--out", "{out}", *CONTROLS, SUITE).end()
    assert ran.code == 2
    assert [line for line in ran.output.splitlines() if str(folder / "out") in line], ran.output
    assert "Traceback" not in ran.output
    assert find(cluster) == []


def test_a_finalizer_that_no_controller_serves(running: Start, cluster: Cluster) -> None:
    """An object of the run cannot be deleted: the run ends in bounded time, and names the object and its finalizer."""
    one = run(running)
    one.until("its environment is there", deployed(cluster))
    [space] = [item.name for item in find(cluster) if item.kind == "Namespace" and item.name.endswith("-mtls-client")]
    stuck = ("v1", "ServiceAccount", "sleep", space)
    cluster.patch(*stuck, {"metadata": {"finalizers": [FINALIZER]}})
    try:
        ran = one.end()
    finally:
        cluster.patch(*stuck, {"metadata": {"finalizers": None}})
        cleanup(cluster)
    assert ran.code != 0
    assert FINALIZER in ran.output, ran.output[-3000:]
    assert "ExceptionGroup" not in ran.output
    assert {path.name for path in ran.files} >= REPORTS


def test_a_dead_api_service(running: Start, cluster: Cluster) -> None:
    """An API group of the cluster has no server: the run ends in bounded time, and names the group."""
    version, kind, name = "apiregistration.k8s.io/v1", "APIService", f"v1.{DEAD_GROUP}"
    service = {"name": "no-such-service", "namespace": "default", "port": 443}
    spec = {"group": DEAD_GROUP, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100}
    spec |= {"service": service, "insecureSkipTLSVerify": True}
    cluster.create({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
    try:
        ran = run(running).end()
    finally:
        cluster.delete(version, kind, name)
        cleanup(cluster)
    assert {case["control"] for case in ran.report["cases"]} - {CLEAN_UP} == CASES
    assert "fail" not in ran.verdicts.values()
    assert ran.code == 0 or DEAD_GROUP in ran.output, ran.output[-3000:]
    assert "ExceptionGroup" not in ran.output


def test_the_namespace_of_a_case_vanishes(running: Start, cluster: Cluster) -> None:
    """A namespace is deleted under the run: its cases are inconclusive, and none of them fails."""
    one = running(*PYTEST, SUITE, "--out", "{out}", *CONTROLS)
    one.until("its environment is there", deployed(cluster))
    [space] = [item.name for item in find(cluster) if item.kind == "Namespace" and item.name.endswith("-mtls-client")]
    cluster.delete("v1", "Namespace", space)
    ran = one.end()
    assert ran.code == 3
    assert "fail" not in ran.verdicts.values(), ran.verdicts
    assert "Traceback" not in ran.output
