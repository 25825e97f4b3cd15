"""The chart on a cluster of our own: installed by helm, its CronJob fires, its reports are fetched, all of it goes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "deploy/helm/meshproof"
RELEASE, NAMESPACE = "meshproof", "e2e-nightly-job"
VOLUME = "e2e-nightly-results"
FOLDER = "/var/lib/kubelet/e2e-nightly-results"
PATIENCE_S = 180.0


@dataclass(frozen=True)
class JobCluster:
    """A cluster on which the nightly job is tried, and what it is installed with.

    Attributes:
        kubeconfig: with an administrator's rights.
        image: reference of the harness's own image, which every node has.
        settings: text of meshproof.toml.
        helm, kubectl: programs.
        scratch: folder of the test.
    """

    kubeconfig: Path
    image: str
    settings: str
    helm: Path
    kubectl: Path
    scratch: Path

    def run(self, *words: str | Path, data: str | None = None) -> str:
        """Run a program as administrator; returns its output."""
        done = subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            timeout=600,
            input=data,
            cwd=self.scratch,
            env=os.environ
            | {
                "KUBECONFIG": str(self.kubeconfig),
                "PATH": f"{self.kubectl.parent}:{os.environ['PATH']}",
                "HOME": str(self.scratch),
            },
        )
        assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def kube(self, *words: str) -> str:
        """kubectl in the namespace of the release; returns its output."""
        return self.run(self.kubectl, "-n", NAMESPACE, *words)

    def get(self, *words: str) -> Any:
        """Objects by kubectl."""
        return json.loads(self.kube("get", "-o", "json", *words))

    def log(self, job: str) -> str:
        """What the Job's pod has printed so far; empty while it has no container."""
        words = (self.kubectl, "--kubeconfig", self.kubeconfig, "-n", NAMESPACE, "logs", f"job/{job}")
        return subprocess.run(words, capture_output=True, text=True, timeout=60).stdout

    def until(self, what: str, done: Callable[[], Any]) -> Any:
        """The first result of `done` that counts as true."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := done()):
            assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S:g} s"
            time.sleep(0.5)
        return found


@contextmanager
def volume(job_cluster: JobCluster) -> Iterator[None]:
    """A volume on one node that any user may write to, as a provisioner makes one; a pod prepares it."""
    node = job_cluster.run(job_cluster.kubectl, "get", "nodes", "-o", "jsonpath={.items[-1:].metadata.name}")
    job_cluster.run(job_cluster.kubectl, "create", "namespace", NAMESPACE)
    affinity = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": VOLUME},
        "spec": {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": VOLUME,
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": FOLDER, "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [affinity]}]}},
        },
    }
    job_cluster.run(job_cluster.kubectl, "apply", "-f", "-", data=yaml.safe_dump(made))
    _on_node(job_cluster, node, "chmod 1777 /results")
    try:
        yield
    finally:
        _on_node(job_cluster, node, "rm -rf /results/*")
        job_cluster.run(job_cluster.kubectl, "delete", "namespace", NAMESPACE, "--timeout=180s")
        job_cluster.run(job_cluster.kubectl, "delete", "persistentvolume", VOLUME)


def _on_node(job_cluster: JobCluster, node: str, script: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "on-node", "namespace": NAMESPACE},
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "on-node",
                    "image": job_cluster.image,
                    "command": ["sh", "-c", script],
                    "securityContext": {"runAsUser": 0},
                    "volumeMounts": [{"name": "results", "mountPath": "/results"}],
                }
            ],
            "volumes": [{"name": "results", "hostPath": {"path": FOLDER, "type": "DirectoryOrCreate"}}],
        },
    }
    job_cluster.run(job_cluster.kubectl, "apply", "-f", "-", data=yaml.safe_dump(pod))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    job_cluster.run(job_cluster.kubectl, "-n", NAMESPACE, "wait", done, "pod/on-node", "--timeout=120s")
    job_cluster.run(job_cluster.kubectl, "-n", NAMESPACE, "delete", "pod/on-node")


@contextmanager
def installed(job_cluster: JobCluster, *words: str) -> Iterator[str]:
    """The release; its notes."""
    settings = job_cluster.scratch / "meshproof.toml"
    settings.write_text(job_cluster.settings)
    values = [f"image={job_cluster.image}", f"results.volume.storageClassName={VOLUME}", *words]
    options = [word for value in values for word in ("--set", value)]
    job_cluster.run(
        *(job_cluster.helm, "install", RELEASE, CHART, "--namespace", NAMESPACE, "--wait"),
        *("--set-file", f"settings={settings}", *options),
    )
    try:
        yield job_cluster.run(job_cluster.helm, "get", "notes", RELEASE, "--namespace", NAMESPACE)
    finally:
        job_cluster.run(job_cluster.helm, "uninstall", RELEASE, "--namespace", NAMESPACE, "--wait")


def serve_bucket(job_cluster: JobCluster, program: str, words: list[str], bucket: str) -> None:
    """A pod and a Service `s3` with an empty bucket.

    Args:
        program: of a server of S3's interface, on every node; runs with `words`, and its buckets are in /data/buckets.
    """
    made = f"mkdir -p /data/attributes /data/buckets/{bucket}"
    container = {
        "name": "s3",
        "image": job_cluster.image,
        "command": ["sh", "-c", f'{made}; exec /versitygw "$@"', "sh", *words],
        "workingDir": "/data",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "program", "mountPath": "/versitygw"}],
        "readinessProbe": {"tcpSocket": {"port": 7070}, "periodSeconds": 1},
    }
    meta = {"name": "s3", "namespace": NAMESPACE, "labels": {"app": "s3"}}
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "program", "hostPath": {"path": program, "type": "File"}}]
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [container], "volumes": volumes, "securityContext": {"fsGroup": 65532}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": "s3"}, "ports": [{"port": 7070}]},
        },
    ]
    job_cluster.run(job_cluster.kubectl, "apply", "-f", "-", data=yaml.safe_dump_all(objects))
    job_cluster.kube("wait", "--for=condition=Ready", "pod/s3", "--timeout=120s")


def commands(notes: str, heading: str) -> str:
    """The commands below a heading of the notes, as a script."""
    found = re.search(rf"^{heading}[^\n]*\n((?:  [^\n]*\n?)+)", notes, re.MULTILINE)
    assert found, notes
    return "set -e\n" + textwrap.dedent(found[1])


def ended(job_cluster: JobCluster, job: str) -> dict[str, Any]:
    """The Job when it has succeeded or failed."""

    def look() -> dict[str, Any] | None:
        found = job_cluster.get("job", job)
        kinds = {one["type"] for one in found["status"].get("conditions", []) if one["status"] == "True"}
        return found if kinds & {"Complete", "Failed"} else None

    return job_cluster.until(f"end of {job}", look)


def reports(folder: Path) -> list[dict[str, Any]]:
    """All runs whose reports were fetched, the oldest first."""
    files = sorted(folder.glob("*/conformance.json"))
    return [json.loads(file.read_text()) for file in files if not file.parent.is_symlink()]
