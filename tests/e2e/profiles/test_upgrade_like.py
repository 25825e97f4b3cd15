"""A rehearsal of an upgrade: both control planes have another cluster's mesh, and are gone after it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from e2e_runs import MESHPROOF, ROOT

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


def test_both_control_planes_have_the_mesh_of_another_cluster(tmp_path: Path) -> None:
    if manager.status("canary").state == "up":
        manager.down("canary", print)
    like, seen = tmp_path / "like.yaml", tmp_path / "seen"
    like.write_text(yaml.safe_dump(LIKE), encoding="utf-8")
    state = folder_of("canary") / "state.json"
    look = f"PYTHONPATH={ROOT} {sys.executable} -c {shlex.quote(LOOK)} {state} > {seen}; echo seen; exit 3"
    words = ("--from", "1.29", "--to", "1.31", "--like", like, "--out", tmp_path / "out", "--hook", f"before={look}")
    command = [sys.executable, *MESHPROOF, "upgrade", "suites/lab/test_mesh_wide_strict.py", *map(str, words)]
    # not by `e2e_runs.start`: the cluster that it starts would have its temporary files in a folder of the test
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
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
