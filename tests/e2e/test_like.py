"""The embedded cluster started with the mesh of a file, read back from it.

Nightly: the start of a second cluster takes up to a minute, next to the one that all tests share.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from e2e_runs import MESHPROOF, start

from testbed.like import SCHEMA

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

STRICT = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
          "metadata": {"name": "default", "namespace": "istio-root"}, "spec": {"mtls": {"mode": "STRICT"}}}  # fmt: skip
WRONG = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
         "metadata": {"name": "wrong", "namespace": "istio-root"}, "spec": {"action": "PERHAPS"}}  # fmt: skip
MESH = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}, "trustDomain": "corp.test"}
FILE = {"schema": SCHEMA, "revision": {"name": "1-29", "tags": ["prod"]}, "meshConfig": MESH,
        "istiod": {"PILOT_ENABLE_IP_AUTOALLOCATE": "false"}, "policies": [STRICT, WRONG]}  # fmt: skip


def test_the_mesh_of_a_file_is_in_force_and_can_be_read_back(elsewhere: dict[str, str], tmp_path: Path) -> None:
    file, again = tmp_path / "like.yaml", tmp_path / "again.yaml"
    file.write_text(yaml.safe_dump(FILE))
    for name in ("up", "like"):
        (tmp_path / name).mkdir()
    started = start(tmp_path / "up", *MESHPROOF, "up", "--like", str(file), environment=elsewhere).end()
    assert started.code == 0, started.output
    assert "not carried over: MeshConfig trustDomain" in started.output
    assert "not carried over: AuthorizationPolicy wrong" in started.output
    read = start(tmp_path / "like", *MESHPROOF, "like", "--output", str(again), environment=elsewhere).end()
    assert read.code == 0, read.output
    found = yaml.safe_load(again.read_text())
    assert found["meshConfig"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
    assert found["meshConfig"]["trustDomain"] == "cluster.local"
    assert found["istiod"]["PILOT_ENABLE_IP_AUTOALLOCATE"] == "false"
    assert set(found["revision"]["tags"]) == {"1-29", "prod"}
    assert [(one["kind"], one["spec"]) for one in found["policies"]] == [("PeerAuthentication", STRICT["spec"])]
