"""The egress benchmark's shell script: its checks, against a kubectl that is a script itself."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.egress import ASKED, EGRESS, HEAD, RESTARTED, script
from clients.probe.request import Request

pytestmark = pytest.mark.unit

KUBECTL = """#!/bin/sh
case $1 in
get) printf web-1 ;;
exec) echo "$*" >>"$FOLDER/asked"; printf 200 ;;
logs) echo "$*" >>"$FOLDER/asked"; test "$(wc -l <"$FOLDER/asked")" -lt 3 || echo 'GET / example.com' ;;
*) echo "$*" >>"$FOLDER/asked" ;;
esac
"""


def run(folder: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """These lines of the script, after its head."""
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o700)
    (folder / "confirmations").write_text("X-1\t3\n")
    (folder / "script.sh").write_text(f"{HEAD}{lines}\n")
    environment = {**os.environ, "KUBECTL": str(kubectl), "ISTIOCTL": f"{kubectl} istioctl", "FOLDER": str(folder)}
    return subprocess.run(["sh", folder / "script.sh"], env=environment, capture_output=True, text=True)


def test_a_check_asks_from_the_pod_until_enough_answers_came_in_a_row(tmp_path: Path):
    ended = run(tmp_path, "check X-1 200 team-x web curl --max-time 5 http://a.example/")
    assert ended.stdout == "X-1 200, 3 probes\n", ended.stderr
    assert (tmp_path / "asked").read_text().splitlines() == [
        "exec web-1 -c curl -n team-x -- curl -s -o /dev/null -w %{http_code} --max-time 5 http://a.example/"
    ] * 3


def test_a_log_is_read_until_it_shows_the_request(tmp_path: Path):
    ended = run(tmp_path, "logged team-x app=web example.com")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "asked").read_text().splitlines() == ["logs web-1 -c istio-proxy -n team-x --since=2m"] * 3


def test_what_the_tutorial_asks_otherwise(tmp_path: Path):
    assert run(tmp_path, "clusters team-x web\nanalyze istio-egress\nrestart team-x raw web").returncode == 0
    assert (tmp_path / "asked").read_text().splitlines() == [
        "istioctl proxy-config cluster web-1.team-x --direction outbound",
        "istioctl analyze -n istio-egress",
        "rollout restart deployment -n team-x raw web",
        "rollout status deployment raw -n team-x --timeout=180s",
        "rollout status deployment web -n team-x --timeout=180s",
    ]


def test_a_client_that_claims_an_identity_shows_a_certificate(tmp_path: Path) -> None:
    openssl = 'openssl() { echo "openssl $*" >>"$FOLDER/asked"; >"$FOLDER/foreign.p12"; }'
    words = "X-1 200 team-x raw curl --cert /dev/stdin https://a.example/"
    ended = run(tmp_path, f"{openssl}\ncheck_impostor foreign.example team-x test {words}")
    assert ended.stdout == "X-1 200, 3 probes\n", ended.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert "subjectAltName=URI:spiffe://foreign.example/ns/team-x/sa/web-1" in asked[0]
    assert (
        asked[2:]
        == [
            "exec -i web-1 -c curl -n team-x -- curl -s -o /dev/null -w %{http_code} --cert /dev/stdin https://a.example/"
        ]
        * 3
    )


def test_the_script_checks_every_probed_case_of_the_suite(tmp_path: Path) -> None:
    """A benchmark of other checks compares nothing, and ends with an error after minutes."""
    request = Request("GET", "http://a.example/", (), "id", "agent")
    prober = SimpleNamespace(request_for=lambda probe, _: request if not probe.impostor_of else pytest.fail("no pod"))
    overlay = SimpleNamespace(namespaces=set(), objects=lambda *_: [])
    text = script(SimpleNamespace(prober=prober, overlay=overlay), tmp_path).read_text()  # type: ignore[arg-type]
    checked = [shlex.split(line) for line in text.removeprefix(HEAD).splitlines() if line.startswith("check")]
    ids = [words[1] if words[0] == "check" else words[4] for words in checked]
    assert sorted(ids) == sorted(case.id for module in EGRESS.modules for case in EGRESS.cases(module))
    assert len(ids) > 70


def test_every_stage_at_which_it_asks_is_there():
    stages = {module.STAGE.name for module in EGRESS.modules}
    assert {*ASKED, *RESTARTED} <= stages
