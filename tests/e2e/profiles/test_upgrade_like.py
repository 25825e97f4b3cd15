"""A rehearsal of an upgrade: both control planes have another cluster's mesh, and are gone after it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from e2e_runs import MESHPROOF, ROOT

from testbed import api
from testbed.like import SCHEMA
from testbed.profiles import manager
from testbed.profiles.manager import folder_of

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
LIMIT_S = 1800.0
LIKE = {
    "schema": SCHEMA,
    "meshConfig": {"accessLogFormat": "of the other\\n", "trustDomain": "bank.test"},
    "istiod": {"PILOT_DEBOUNCE_AFTER": "50ms"},
    "policies": [
        {
            "apiVersion": "security.istio.io/v1",
            "kind": "PeerAuthentication",
            "metadata": {"name": "of-the-other", "namespace": "mesh-root"},
            "spec": {"mtls": {"mode": "STRICT"}},
        }
    ],
}
LOOK = """
import json, sys
from pathlib import Path
from clients.kube.cluster import Cluster
administrator = json.loads(Path(sys.argv[1]).read_text())["administrator"]
cluster, root = Cluster.connect(Path(administrator)), "istio-system"
maps = cluster.objects("v1", "ConfigMap", root)
strict = cluster.objects("security.istio.io/v1", "PeerAuthentication", root)
made = {
    "meshes": [one["data"]["mesh"] for one in maps if "mesh" in one.get("data", {})],
    "variables": [
        {env["name"]: env.get("value") for env in pod["spec"]["containers"][0]["env"]}
        for pod in cluster.objects("v1", "Pod", root, "app=istiod") if "deletionTimestamp" not in pod["metadata"]
    ],
    "policies": [one["metadata"]["name"] for one in strict],
}
print(json.dumps(made))
"""


def rehearsal(like: str | Path, out: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One from 1.29 to 1.31, to its end.

    Not by `e2e_runs.start`: the cluster that it starts would have its temporary files in a folder of the test.
    """
    if manager.status("canary").state == "up":
        manager.down("canary", print)
    versions = ("--from", "1.29", "--to", "1.31", "--like", str(like), "--out", str(out))
    command = [sys.executable, *MESHPROOF, "upgrade", "suites/lab/test_mesh_wide_strict.py", *versions, *words]
    environment = {**os.environ, **more}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S)


def test_a_rehearsal_with_the_mesh_of_a_context_has_a_verdict(testbed: api.Up, tmp_path: Path) -> None:
    """The mesh is read from the shared cluster, by the name of its context."""
    context = yaml.safe_load(testbed.kubeconfig.read_text(encoding="utf-8"))["current-context"]
    ran = rehearsal(context, tmp_path / "out", KUBECONFIG=str(testbed.kubeconfig))
    (report,) = tmp_path.glob("out/*/verdict.json")
    found = json.loads(report.read_text(encoding="utf-8"))
    assert (ran.returncode, found["verdict"]) == (0, "safe"), (found["against"], found["not_known"])
    assert [phase["name"] for phase in found["phases"]] == ["before", "canary", "mixed", "moved", "rolled-back"]
    assert (found["lost"], found["leaks"]) == (0, 0)
    assert manager.status("canary").state == "down"


def test_both_control_planes_have_the_mesh_of_another_cluster(tmp_path: Path) -> None:
    like, seen = tmp_path / "like.yaml", tmp_path / "seen"
    like.write_text(yaml.safe_dump(LIKE), encoding="utf-8")
    state = folder_of("canary") / "state.json"
    look = f"PYTHONPATH={ROOT} {sys.executable} -c {shlex.quote(LOOK)} {state} > {seen}; echo seen; exit 3"
    ran = rehearsal(like, tmp_path / "out", "--hook", f"before={look}")
    assert ran.returncode == 2, ran.stderr[-3000:]
    assert "the hook of the phase before failed (exit 3): seen" in ran.stderr
    found = json.loads(seen.read_text(encoding="utf-8"))
    assert len(found["meshes"]) == len(found["variables"]) == 2
    for mesh in map(yaml.safe_load, found["meshes"]):
        assert mesh["accessLogFormat"] == "of the other\\n"
        assert mesh.get("trustDomain", "cluster.local") == "cluster.local"
    assert all(one["PILOT_DEBOUNCE_AFTER"] == "50ms" for one in found["variables"])
    assert "of-the-other" in found["policies"]
    (report,) = tmp_path.glob("out/*/verdict.json")
    left = json.loads(report.read_text(encoding="utf-8"))["not_carried_over"]
    assert left == ["MeshConfig trustDomain: certificates here are of cluster.local"]
    assert manager.status("canary").state == "down"
