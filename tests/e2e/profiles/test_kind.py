"""Real kind clusters: a run conforms on them by kubeconfig and settings alone, and their end leaves nothing."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import e2e_runs
import nightly_job
import pytest
from nightly_job import JobCluster, commands, ended, installed

from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from runner.target.in_use import user_of
from testbed.harness import loading, tools
from testbed.harness.image import HarnessImage
from testbed.lifecycle import Testbed
from testbed.profiles import manager, table
from testbed.profiles.kind import KindProfile
from testbed.profiles.manager import ProfileUp
from testbed.progress import to_stderr
from testbed.versions import istio_release

pytestmark = pytest.mark.nightly

SYSCTLS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/pid_max")
"""Settings of the whole machine that kubelets and systemds of nodes would change."""


def seen() -> dict[str, str]:
    """What a cluster could leave on this machine."""
    commands = {
        "interfaces": ("ip", "-brief", "link"),
        "routes": ("ip", "route"),
        "tables": ("nft", "list", "tables"),
        "mounts": ("mount",),
    }
    found = {
        name: subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for name, command in commands.items()
    }
    found["interfaces"] = "\n".join(sorted(line.split()[0] for line in found["interfaces"].splitlines()))
    return found | {name: Path("/proc/sys", name).read_text() for name in SYSCTLS}


@pytest.fixture(scope="module", params=["kind", "kind-full"])
def profile(request: pytest.FixtureRequest) -> KindProfile:
    found = table.of(request.param)
    assert isinstance(found, KindProfile)
    return found


def test_a_start_that_fails_leaves_nothing(profile: KindProfile, monkeypatch: pytest.MonkeyPatch):
    """The last step of the start is refused while everything else runs. First: no other cluster is up yet."""
    other = type("Other", (type(profile),), {"name": f"{profile.name}-fails"})()
    monkeypatch.setitem(table.PROFILES, other.name, other)
    monkeypatch.setattr("testbed.profiles.access.write", _fail)
    before = seen()
    with pytest.raises(RuntimeError, match="refused"):
        manager.up(other.name, None, to_stderr, user_of)
    assert other.processes(manager.folder_of(other.name)) == set()
    assert seen() == before


def _fail(*_: object) -> None:
    raise RuntimeError("refused")


@pytest.fixture(scope="module")
def up(profile: KindProfile) -> Iterator[ProfileUp]:
    """The profile, and the check that its end leaves nothing."""
    manager.down(profile.name, to_stderr)
    profile.build(istio_release(None), to_stderr)
    before = seen()
    made = manager.up(profile.name, None, to_stderr, user_of)
    groups = profile.machine(manager.folder_of(profile.name)).cgroups.folders
    assert any(folder.exists() for folder in groups)
    yield made
    assert manager.down(profile.name, to_stderr)
    assert profile.processes(manager.folder_of(profile.name)) == set()
    assert [folder for folder in groups if folder.exists()] == []
    assert seen() == before
    assert [entry.name for entry in manager.folder_of(profile.name).iterdir() if entry.is_file()] == ["lock"]


def run(up: ProfileUp, scratch: Path, *words: str) -> e2e_runs.EndedRun:
    """As the last lines of `meshproof up` say."""
    named = ("--context", up.context, "--kubeconfig", up.kubeconfig, "--out", "{out}")
    return e2e_runs.start(
        scratch, *e2e_runs.MESHPROOF, "run", *words, *named, environment={"MESHPROOF_CONFIG": up.settings}
    ).end(patience_s=1800)


def test_a_warm_start_is_quick(profile: KindProfile, up: ProfileUp):
    assert manager.up(up.name, None, to_stderr, user_of) == up, "a second start finds it running"
    assert up.took_s < profile.warm_s


def test_the_lab_conforms(up: ProfileUp, tmp_path: Path):
    ran = run(up, tmp_path, "suites/lab", "--allow-mesh-wide")
    assert ran.code == 0, ran.output[-3000:]
    assert ran.report["totals"]["fail"] == ran.report["totals"]["inconclusive"] == 0
    assert ran.report["totals"]["pass"] >= 40


def test_what_the_cluster_lacks_is_skipped_with_its_reason(up: ProfileUp, tmp_path: Path):
    """Without external hosts nothing of egress fails; with them nothing of it is skipped for want of one."""
    ran = run(up, tmp_path, "suites/egress", "--allow-mesh-wide", "--budget", "10")
    assert ran.code == 0, ran.output[-3000:]
    lacking = [case["id"] for case in ran.report["cases"] if "external-hosts" in case["reason"]]
    assert bool(lacking) is (up.name == "kind")


def test_the_nightly_job_proves_its_own_cluster(up: ProfileUp, tmp_path: Path):
    """The image by `kind load`, the chart by helm, as a user does it; the account is the chart's own."""
    built = HarnessImage(to_stderr).build()
    loading.load(built.archive, up.name, to_stderr)
    images = tomllib.loads(Path(up.settings).read_text(encoding="utf-8"))["images"]
    settings = "[images]\n" + "\n".join(f"{name} = {json.dumps(image)}" for name, image in images.items())
    kubectl = Testbed().programs(istio_release(None)).kubernetes / "kubectl"
    helm = tools.program("helm", to_stderr)
    job_cluster = JobCluster(Path(up.administrator), built.reference, settings, helm, kubectl, tmp_path)
    selected = "run.suites={suites/lab/test_mesh_wide_strict.py,suites/lab/test_require_jwt.py}"
    with nightly_job.volume(job_cluster), installed(job_cluster, "suspend=true", "meshWide=true", selected) as notes:
        shown = job_cluster.run("sh", "-c", commands(notes, "Run it now"))
        assert ended(job_cluster, "meshproof-now")["status"].get("succeeded") == 1, shown[-3000:]
        job_cluster.run("sh", "-c", commands(notes, "Fetch the reports"))
        [report] = nightly_job.reports(tmp_path / "results")
        assert report["run"]["exit"] == 0
        assert {case["verdict"] for case in report["cases"]} == {"pass"}
    administrator = Cluster.connect(Path(up.administrator))
    assert [str(one) for one in find(administrator)] == []
    administrator.close()
