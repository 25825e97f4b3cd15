"""Commands of the documents that no other test runs: they look at a cluster, and change nothing there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from e2e_runs import MESHPROOF, ROOT, EndedRun, start

from benchmarks import common
from clients.kube.cluster import Cluster
from testbed import api

pytestmark = pytest.mark.e2e


def run(folder: Path, testbed: api.Up, *words: str, live: bool = True) -> EndedRun:
    """The command on the embedded cluster, as a user names it by its kubeconfig."""
    environment = {"KUBECONFIG": str(testbed.kubeconfig)} if live else {}
    return start(folder, *MESHPROOF, *words, environment=environment).end()


@pytest.mark.parametrize(
    ("words", "live", "says"),
    [
        (("doctor",), False, "nothing is missing"),
        (("doctor", "--policies", "--context", "{context}"), True, "polic"),
        (("images", "--toml", "--digests", "--context", "{context}"), True, "[images]"),
        (("status",), False, "kubeconfig"),
        (("logs", "kubelet"), False, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_it_looks_at_the_cluster(
    tmp_path: Path, testbed: api.Up, cluster: Cluster, words: tuple[str, ...], live: bool, says: str
) -> None:
    context = kubectl(testbed, "config", "current-context").strip()
    ran = run(tmp_path, testbed, *(word.format(context=context) for word in words), live=live)
    assert ran.code == 0, ran.output[-3000:]
    assert says in ran.output
    assert ran.output.strip()
    assert "Traceback" not in ran.output


def kubectl(testbed: api.Up, *words: str) -> str:
    """What the cluster's own kubectl prints."""
    done = subprocess.run([*common.kubectl(testbed), *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_account_of_the_roles_gets_a_token(testbed: api.Up, cluster: Cluster) -> None:
    """Both commands of README, and back."""
    file = "deploy/rbac/namespaced.yaml"
    try:
        kubectl(testbed, "apply", "-f", file)
        token = kubectl(testbed, "create", "token", "meshproof", "--namespace", "meshproof", "--duration", "4h")
    finally:
        kubectl(testbed, "delete", "-f", file, "--ignore-not-found", "--wait")
    assert token.count(".") == 2
