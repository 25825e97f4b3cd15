"""Two clusters that can be reached, proven side by side by one command, as a user names them by their contexts.

Nightly: the start of a second cluster.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e_runs import MESHPROOF, start

from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from testbed import api

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

CONTROLS = ("LAB-NSMTLS-03", "LAB-NSMTLS-04")
KINDS = ("cluster", "user")


def renamed(kubeconfig: Path, name: str) -> dict[str, Any]:
    """The file with one context, cluster and user of this name."""
    content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    made: dict[str, Any] = {"contexts": [{"name": name, "context": dict.fromkeys(KINDS, name)}]}
    for kind in KINDS:
        made[f"{kind}s"] = [{"name": name, kind: content[f"{kind}s"][0][kind]}]
    return made


def test_both_are_proven_at_once_and_one_matrix_has_them(
    testbed: api.Up, cluster: Cluster, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    for name in ("up", "run"):
        (tmp_path / name).mkdir()
    started = start(tmp_path / "up", *MESHPROOF, "up", environment=elsewhere).end()
    second = re.search(r"KUBECONFIG=(\S+)", started.output)
    assert second, started.output
    files = {"eu": testbed.kubeconfig, "us": Path(second[1])}
    parts = [renamed(file, name) for name, file in files.items()]
    whole = {"apiVersion": "v1", "kind": "Config", "current-context": "eu"}
    whole |= {key: [one for part in parts for one in part[key]] for key in parts[0]}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(whole))

    named = [word for name in files for word in ("--context", name)]
    selected = [word for control in CONTROLS for word in ("--control", control)]
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    words = (*MESHPROOF, "run", *named, "--kubeconfig", str(tmp_path / "kubeconfig"), *selected, "--out", "{out}")
    ran = start(tmp_path / "run", *words, "--budget", "60", environment=images).end()
    assert ran.code == 0, ran.output[-3000:]

    out = tmp_path / "run" / "out"
    reports = {name: json.loads((out / name / "latest" / "conformance.json").read_text()) for name in files}
    for name, report in reports.items():
        assert report["target"]["context"] == name
        assert {case["control"]: case["verdict"] for case in report["cases"]} == dict.fromkeys(CONTROLS, "pass")
        assert "(" in report["target"]["images"]["httpbin"], "what a node pulled for it"
    assert reports["eu"]["target"]["server"] != reports["us"]["target"]["server"]
    both = [report["run"] for report in reports.values()]
    assert max(one["started"] for one in both) < min(one["ended"] for one in both), "at once"
    fleet = json.loads((out / "fleet.json").read_text())
    assert len(fleet["clusters"]) == 2
    assert {control: fleet["marks"][control] for control in CONTROLS} == {one: ["pass", "pass"] for one in CONTROLS}
    other = Cluster.connect(Path(second[1]))
    try:
        assert find(other) == []
    finally:
        other.close()
