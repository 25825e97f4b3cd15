"""The egress benchmark's shell script: its checks, against a kubectl that is a script itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.egress import HEAD

pytestmark = pytest.mark.unit

KUBECTL = """#!/bin/sh
case $1 in
get) printf web-1 ;;
exec) echo "$*" >>"$FOLDER/asked"; printf 200 ;;
esac
"""


def test_a_check_asks_from_the_pod_until_enough_answers_came_in_a_row(tmp_path: Path):
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o700)
    (tmp_path / "confirmations").write_text("X-1\t3\n")
    (tmp_path / "script.sh").write_text(f"{HEAD}check X-1 200 team-x web curl --max-time 5 http://a.example/\n")
    environment = {**os.environ, "KUBECTL": str(kubectl), "FOLDER": str(tmp_path)}
    ended = subprocess.run(["sh", tmp_path / "script.sh"], env=environment, capture_output=True, text=True)
    assert ended.stdout == "X-1 200, 3 probes\n", ended.stderr
    assert (tmp_path / "asked").read_text().splitlines() == [
        "exec web-1 -c curl -n team-x -- curl -s -o /dev/null -w %{http_code} --max-time 5 http://a.example/"
    ] * 3
