"""How a run ends early: interrupted, killed, refused; and what it must not touch."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from e2e_runs import CACHE, MESHPROOF, PYTEST, StartedRun, conform, controls, start

from clients.kube.cleanup import cleanup, find
from clients.kube.cluster import Cluster
from clients.model.polling import poll
from reports.record.journal import read

pytestmark = pytest.mark.e2e

MESH_WIDE = controls("LAB-MTLS-01", "LAB-MTLS-03", "LAB-MTLS-05")
POLICY = ("security.istio.io/v1", "PeerAuthentication", "mesh-wide-mtls", "istio-system")
Start = Callable[..., StartedRun]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Start]:
    """Starts runs, none of which outlives the test."""
    started: list[StartedRun] = []

    def begin(*words: str) -> StartedRun:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(start(folder, *words))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.abandon()


def in_force(cluster: Cluster) -> Callable[[], bool]:
    """Whether the mesh-wide policy is there: the run is in a stage that changes the whole mesh."""
    return lambda: cluster.get(*POLICY) is not None


LEASE = ("coordination.k8s.io/v1", "Lease", "meshproof", "default")


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_whose_lease_another_took_ends_at_once(workers: str, running: Start, cluster: Cluster) -> None:
    """It renews every 20 s: two runs overlap for no longer than that."""
    run = running(*MESHPROOF, "run", "--out", "{out}", "-n", workers, "suites/lab")
    run.until("its first namespace is there", lambda: any(one.kind == "Namespace" for one in find(cluster)))
    cluster.patch(*LEASE, {"spec": {"holderIdentity": "bob@elsewhere pid 1"}})
    ran = run.end()
    try:
        assert ran.code == 130, ran.output[-3000:]
        assert ran.report["run"]["interrupted"] == "the loss of its lease: bob@elsewhere pid 1 holds it now"
        assert "stopped by the loss of its lease" in ran.output
        assert [str(one) for one in find(cluster) if one.kind != "Lease"] == []
        assert cluster.get(*LEASE) is not None, "the lease of another run stays"
    finally:
        cluster.delete(*LEASE)


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, "2"), (signal.SIGTERM, "0")])
def test_interrupted_run_cleans_up_and_reports(
    number: signal.Signals, workers: str, running: Start, cluster: Cluster
) -> None:
    run = running(*MESHPROOF, "run", "--out", "{out}", "-n", workers, *MESH_WIDE)
    run.until("the policy is in force", in_force(cluster))
    run.send(number)
    ran = run.end()
    assert ran.code == 130, ran.output[-3000:]
    assert find(cluster) == []
    assert number.name in ran.report["run"]["interrupted"]
    assert ran.report["run"]["exit"] == 130
    assert {path.name for path in ran.files} >= {"conformance.json", "index.html", "junit.xml", "summary.md"}
    assert "Traceback" not in ran.output
    assert ran.left == []


@pytest.mark.nightly
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_reaches_its_deadline_keeps_what_was_proven_and_leaves_nothing(
    workers: str, running: Start, cluster: Cluster, tmp_path: Path
) -> None:
    """The whole lab, within a time in which some of it is proven, also on a slow machine."""
    words = ("--deadline", "150s", "--budget", "120", "--metrics", str(tmp_path / "meshproof.prom"), "suites/lab")
    ran = running(*MESHPROOF, "run", "--out", "{out}", "-n", workers, "suites/boutique", "suites/egress", *words).end()
    run = ran.report["run"]
    assert ran.code == run["exit"] == 3, ran.output[-3000:]
    assert (run["deadline"], run["interrupted"]) == ("150s", "")
    assert ran.report["totals"]["pass"]
    assert ran.report["not_run"]
    assert "not run: deadline" in ran.output
    assert "meshproof_exit_code" in (tmp_path / "meshproof.prom").read_text()
    assert find(cluster) == []
    assert ran.left == []


def test_second_run_and_cleanup_name_the_holder_of_the_cluster(running: Start, cluster: Cluster) -> None:
    first = running(*MESHPROOF, "run", "--out", "{out}", *MESH_WIDE)
    first.until("it holds the cluster", lambda: bool(cluster.objects("coordination.k8s.io/v1", "Lease", "default")))
    second = running(*MESHPROOF, "run", "--out", "{out}", *MESH_WIDE).end()
    assert second.code == 2
    assert "the cluster is in use by" in second.output
    assert "Traceback" not in second.output
    swept = running(*MESHPROOF, "cleanup").end()
    assert swept.code == 2, swept.output
    assert "the cluster is in use by" in swept.output
    first.send(signal.SIGINT)
    assert first.end().code == 130


def test_killed_test_process_is_cleaned_up_after(running: Start, cluster: Cluster) -> None:
    run = running(*MESHPROOF, "run", "--out", "{out}", *MESH_WIDE)
    run.until("the policy is in force", in_force(cluster))
    [child] = run.children
    os.killpg(child, signal.SIGKILL)
    ran = run.end()
    assert ran.code == 3, ran.output[-3000:]
    assert find(cluster) == []
    assert "died" in ran.report["run"]["interrupted"]
    assert ran.report["not_run"]
    assert (ran.folder / "index.html").exists()  # type: ignore[operator]


def test_cleanup_removes_what_a_killed_run_left(running: Start, cluster: Cluster) -> None:
    run = running(*MESHPROOF, "run", "--out", "{out}", "-n", "2", *MESH_WIDE)
    run.until("the policy is in force", in_force(cluster))
    run.abandon()
    left = find(cluster)
    assert {one.kind for one in left} >= {"Namespace", "PeerAuthentication"}
    refused = running(*MESHPROOF, "run", "--out", "{out}", *MESH_WIDE).end()
    assert refused.code == 2, refused.output
    [line] = [line for line in refused.output.splitlines() if "the cluster is in use by" in line]
    assert "in force for the whole mesh: PeerAuthentication istio-system/mesh-wide-mtls (run " in line
    assert "`meshproof cleanup` removes what it left, now" in line
    listed = running(*MESHPROOF, "cleanup", "--dry-run").end()
    assert listed.code == 0
    assert len(find(cluster)) == len(left)
    assert "would remove PeerAuthentication istio-system/mesh-wide-mtls" in listed.output
    removed = running(*MESHPROOF, "cleanup").end()
    assert removed.code == 0, removed.output
    assert "removed PeerAuthentication istio-system/mesh-wide-mtls" in removed.output
    assert find(cluster) == []


@pytest.mark.parametrize(
    ("mutant", "where", "field", "control"),
    [
        ("typo-in-environment", "lab/environment/", "replica", "LAB-PERM-01"),
        ("typo-in-policy", "lab/namespace-strict/restricted-mtls.yaml", "mtsl", "LAB-NSMTLS-04"),
    ],
)
def test_typo_in_a_manifest_fails_before_any_probe(
    mutant: str, where: str, field: str, control: str, tmp_path: Path
) -> None:
    ran = conform(tmp_path, "-p", "tests.mutants.plugin", "--mutant", mutant, *controls(control))
    assert ran.code == 3
    assert ran.verdicts == {control: "inconclusive"}
    [case] = ran.report["cases"]
    assert where in case["reason"]
    assert field in case["reason"]
    assert case["attempts"] == 0
    assert "Traceback" not in ran.output


def test_namespace_that_exists_is_refused_and_left_alone(tmp_path: Path, cluster: Cluster, running: Start) -> None:
    folder = tmp_path / "20260101-000000-beef"
    folder.mkdir()
    name = "mp-beef-main-mtls-service"
    mine = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"mine": "yes"}}}
    uid = cluster.create(mine)["metadata"]["uid"]
    try:
        words = ("suites/lab", "--meshproof-run", str(folder), *controls("LAB-PERM-01"))
        ran = running(*PYTEST, *words).end()
        assert ran.code == 3
        [(_, evidence)] = read(folder / "journal.ndjson").cases
        assert evidence.verdict == "inconclusive"
        assert f"Namespace {name} exists already and is not this run's" in evidence.reason
        found = cluster.get("v1", "Namespace", name)
        assert found is not None
        assert found["metadata"]["uid"] == uid
        assert "deletionTimestamp" not in found["metadata"]
        assert found["metadata"]["labels"]["mine"] == "yes"
        assert not any(label.startswith("meshproof.dev/") for label in found["metadata"]["labels"])
    finally:
        with suppress(Exception):
            cluster.delete("v1", "Namespace", name)
        cleanup(cluster)
        run_until_gone(cluster, name)


def run_until_gone(cluster: Cluster, name: str) -> None:
    """Wait for the end of a namespace."""
    import time

    assert poll(lambda: cluster.get("v1", "Namespace", name) is None, time.monotonic() + 60)


@pytest.mark.parametrize("verb", ["run", "cleanup"])
def test_unreachable_cluster_is_reported_in_one_line(verb: str, tmp_path: Path, running: Start) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    where = {"server": "https://127.0.0.1:1"}
    content = {"apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "x", "user": {}}]}
    content |= {"clusters": [{"name": "x", "cluster": where}]}
    content |= {"contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}
    kubeconfig.write_text(yaml.safe_dump(content))
    out = ["--out", "{out}"] if verb == "run" else []
    ran = running(*MESHPROOF, verb, "--kubeconfig", str(kubeconfig), *out).end()
    assert ran.code == 2
    lines = [line for line in ran.output.splitlines() if "127.0.0.1:1" in line]
    assert len(lines) == 1, ran.output
    assert "does not answer" in lines[0]
    assert "Traceback" not in ran.output


def test_plan_touches_nothing(tmp_path: Path) -> None:
    nowhere = tmp_path / "cache"  # neither testbed nor kubeconfig: what needs a cluster fails
    run = start(tmp_path, *MESHPROOF, "plan", environment={CACHE: str(nowhere), "KUBECONFIG": str(nowhere)})
    ran = run.end()
    assert ran.code == 0, ran.output
    assert "LAB-MTLS-03" in ran.output
    assert "PeerAuthentication" in ran.output
    assert not nowhere.exists()
    assert not run.out.exists()
    assert ran.left == []
