"""The nightly job in the embedded cluster: image, chart, CronJob, reports, and how it is ended."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from functools import partial

import nightly_job
import pytest
import s3
from nightly_job import JobCluster, commands, ended, installed, reports

from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from clients.model.known import EMBEDDED
from runner.config.settings import ROOT
from testbed import api
from testbed.harness import loading, tools
from testbed.harness.image import HarnessImage
from testbed.lifecycle import Testbed
from testbed.progress import to_stderr
from testbed.versions import istio_release

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

SUITES = ("suites/lab/test_mesh_wide_strict.py", "suites/lab/test_require_jwt.py")
SELECTED = f"run.suites={{{','.join(SUITES)}}}"


@pytest.fixture(scope="module")
def image(testbed: api.Up) -> str:
    built = HarnessImage(to_stderr).build()
    loading.load(built.archive, None, to_stderr)
    return built.reference


@pytest.fixture
def job_cluster(image: str, testbed: api.Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobCluster]:
    images = "\n".join(f"{name} = {json.dumps(reference)}" for name, reference in testbed.images.items())
    settings = (ROOT / EMBEDDED).read_text(encoding="utf-8") + f"\n[images]\n{images}\n"
    kubectl = Testbed().programs(istio_release(None)).kubernetes / "kubectl"
    scratch = tmp_path_factory.mktemp("job")
    found = JobCluster(testbed.kubeconfig, image, settings, tools.program("helm", to_stderr), kubectl, scratch)
    with nightly_job.volume(found):
        yield found


def test_the_cron_job_fires_and_its_reports_are_fetched(job_cluster: JobCluster, cluster: Cluster) -> None:
    """Every minute, to fire soon; the run takes about one, and a second one is never started next to it."""
    with installed(job_cluster, "schedule=* * * * *", "meshWide=true", SELECTED) as notes:
        [first] = job_cluster.until("first job", lambda: job_cluster.get("jobs")["items"])
        job_cluster.kube("patch", "cronjob/meshproof", "-p", _SUSPENDED)
        name = first["metadata"]["name"]
        assert first["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
        done = ended(job_cluster, name)
        log = job_cluster.log(name)
        assert done["status"].get("succeeded") == 1, log[-3000:]
        assert [str(one) for one in find(cluster)] == [], "nothing is left"

        job_cluster.run("sh", "-c", commands(notes, "Fetch the reports"))
        [report] = reports(job_cluster.scratch / "results")
        assert report["run"]["exit"] == 0
        assert report["target"]["kind"] == "live"
        verdicts = {case["id"]: case["verdict"] for case in report["cases"]}
        assert set(verdicts.values()) == {"pass"}
        assert {"LAB-MTLS-01", "LAB-MTLS-03"} <= verdicts.keys()
        assert (job_cluster.scratch / "results" / report["run"]["id"] / "index.html").is_file()


def test_a_run_by_hand_as_the_notes_say(job_cluster: JobCluster) -> None:
    with installed(job_cluster, "suspend=true", f"run.suites={{{SUITES[1]}}}") as notes:
        shown = job_cluster.run("sh", "-c", commands(notes, "Run it now"))
        assert "Conforms" in shown
        assert ended(job_cluster, "meshproof-now")["status"].get("succeeded") == 1


def test_a_run_past_its_deadline_cleans_up_and_reports(job_cluster: JobCluster, cluster: Cluster) -> None:
    """The kubelet sends SIGTERM, and the Job makes no second pod."""
    with installed(job_cluster, "suspend=true", "run.suites={suites/lab}") as notes:
        job_cluster.kube("create", "job", "late", "--from=cronjob/meshproof")
        job_cluster.until("first case", lambda: "✓ pass" in job_cluster.log("late"))
        late = json.dumps({"spec": {"activeDeadlineSeconds": 1}})
        job_cluster.kube("patch", "job/late", "-p", late)
        done = ended(job_cluster, "late")
        [condition] = [one for one in done["status"]["conditions"] if one["type"] == "Failed"]
        assert condition["reason"] == "DeadlineExceeded"
        job_cluster.until("end of the pod", partial(_no_pod, job_cluster))
        assert done["status"].get("failed") == 1, "one pod and no other"
        assert [str(one) for one in find(cluster)] == [], "nothing is left"
        job_cluster.run("sh", "-c", commands(notes, "Fetch the reports"))
        [report] = reports(job_cluster.scratch / "results")
        assert (report["run"]["exit"], report["run"]["interrupted"]) == (130, "SIGTERM")


def test_reports_go_to_a_bucket_and_no_log_has_the_key(job_cluster: JobCluster, cluster: Cluster) -> None:
    """A server in the cluster; its program is put on the node, as no image has it."""
    program = tools.program("versitygw", to_stderr)
    on_node = Testbed().node.folder("kubelet") / "versitygw"
    shutil.copy(program, on_node)
    try:
        key, secret = f"key{secrets.token_hex(8)}", secrets.token_hex(20)
        nightly_job.serve_bucket(
            job_cluster, "/var/lib/kubelet/versitygw", s3.words(key, secret, ":7070", "/data"), "proofs"
        )
        keys = (f"--from-literal=AWS_ACCESS_KEY_ID={key}", f"--from-literal=AWS_SECRET_ACCESS_KEY={secret}")
        job_cluster.kube("create", "secret", "generic", "keys", *keys)
        values = {
            "kind": "s3",
            "s3.url": "s3://proofs/nightly",
            "s3.endpoint": f"http://s3.{nightly_job.NAMESPACE}:7070",
            "s3.region": "us-east-1",
            "s3.secretName": "keys",
        }
        stated = [f"results.{name}={value}" for name, value in values.items()]
        with installed(job_cluster, "suspend=true", f"run.suites={{{SUITES[1]}}}", *stated):
            job_cluster.kube("create", "job", "kept", "--from=cronjob/meshproof")
            done, log = ended(job_cluster, "kept"), job_cluster.log("kept")
            assert done["status"].get("succeeded") == 1, log[-3000:]
            assert "reports are in s3://proofs/nightly/" in log
            job_cluster.kube("cp", "s3:/data/buckets/proofs/nightly", "results")
            [report] = reports(job_cluster.scratch / "results")
            assert report["run"]["exit"] == 0
            files = [path for path in (job_cluster.scratch / "results").rglob("*") if path.is_file()]
            written = log.encode() + b"".join(path.read_bytes() for path in files)
            assert key.encode() not in written
            assert secret.encode() not in written
            assert [str(one) for one in find(cluster)] == [], "nothing is left"
    finally:
        on_node.unlink()


_SUSPENDED = json.dumps({"spec": {"suspend": True}})


def _no_pod(job_cluster: JobCluster) -> bool:
    return not [pod for pod in job_cluster.get("pods")["items"] if pod["status"]["phase"] in {"Running", "Pending"}]
