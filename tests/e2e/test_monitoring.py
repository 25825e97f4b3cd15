"""Metrics, alert rules and dashboard, as a real Prometheus sees them (Debian's package, unpacked, not installed)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from e2e_runs import ROOT

from clients.model.evidence import Evidence, Grade, Subject, Verdict
from reports.formats import metrics
from reports.record.model import MeshRecord, Report, RunInfo, TargetInfo

pytestmark = pytest.mark.e2e

MONITORING = ROOT / "deploy" / "monitoring"
RULES_TEST = ROOT / "tests" / "e2e" / "monitoring" / "alerts_test.yaml"
PATIENCE_S = 60.0
INSTALL = "apt-get install prometheus"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of prometheus and promtool: installed ones, or those of Debian's package."""
    if (found := shutil.which("promtool")) and shutil.which("prometheus"):
        return Path(found).parent
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip(f"there is neither Prometheus nor apt-get: {INSTALL}")
    folder = tmp_path_factory.mktemp("prometheus")
    fetch = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "prometheus"]
    for command in (fetch, ["apt-get", "-qq", "update"], fetch):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if packages := list(folder.glob("prometheus_*.deb")):
            break
    if not packages:
        pytest.skip(f"Debian's package prometheus cannot be fetched ({done.stderr.strip()[-200:]}): {INSTALL}")
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(folder)], check=True)
    return folder / "usr" / "bin"


def promtool(programs: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(programs / "promtool"), *words], input=given, capture_output=True, text=True, cwd=RULES_TEST.parent
    )


def case(name: str, verdict: Verdict) -> Evidence:
    subject = Subject(control=name, id=name, title=name, polarity="deny", suite="suites/lab/test_x.py")
    grade = Grade.FULL if verdict is Verdict.PASS else None
    return replace(Evidence.of(subject, verdict, "", grade=grade), time_to_stable_s=1.5)


def report() -> Report:
    """A run that has just ended, with a failure."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    run = RunInfo("20261122-000000-abcd", started=now, command="x", ended=now, exit=1)
    cases = (case("LAB-MTLS-01", Verdict.PASS), case("LAB-MTLS-03", Verdict.FAIL))
    return Report(run, TargetInfo("live", "1.34", MeshRecord("istio", "1.31.1"), context="prod"), cases)


def test_rules_and_metrics_are_what_promtool_accepts(programs: Path) -> None:
    checked = promtool(programs, "check", "rules", str(MONITORING / "alerts.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool(programs, "test", "rules", RULES_TEST.name)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    linted = promtool(programs, "check", "metrics", given=metrics.render(report()))
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


class Prometheus:
    """A server on loopback that scrapes one target each second."""

    def __init__(self, programs: Path, folder: Path, target: int) -> None:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(MONITORING / "alerts.yaml")],
            "scrape_configs": [
                {
                    "job_name": "node",
                    "metrics_path": f"/{metrics.FILE}",
                    "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [
                str(programs / "prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def get(self, path: str, **values: str) -> Any:
        """The data of an answer of its API; None as long as it gives none."""
        try:
            answer = requests.get(f"{self.url}/api/v1/{path}", params=values, timeout=5)
        except requests.ConnectionError:
            return None
        return answer.json().get("data") if answer.ok else None

    def until(self, query: str) -> list[Any]:
        """The result of a query, as soon as it has one."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if (found := self.get("query", query=query)) and found["result"]:
                result: list[Any] = found["result"]
                return result
            time.sleep(0.2)
        raise AssertionError(f"{query} has no result")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._log.close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, as text, without a line on the terminal."""

    extensions_map = {"": "text/plain"}  # noqa: RUF012 - the name and type of the library's own

    def log_message(self, *_: Any) -> None:
        """None."""


@pytest.fixture
def scraped(programs: Path, tmp_path: Path) -> Iterator[Prometheus]:
    (tmp_path / metrics.FILE).write_text(metrics.render(report(), {"live prod": time.time() - 86400}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = Prometheus(programs, tmp_path, server.server_port)
    yield made
    made.close()
    server.shutdown()
    server.server_close()


def test_a_real_prometheus_scrapes_alerts_and_answers_every_panel(scraped: Prometheus) -> None:
    [failed] = scraped.until("meshproof_control_failed")
    assert failed["metric"]["control"] == "LAB-MTLS-03"
    [alert] = scraped.until('ALERTS{alertname="MeshproofDoesNotConform",alertstate="firing"}')
    assert alert["metric"]["cluster"] == "live prod"
    assert alert["metric"]["severity"] == "critical"
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= len(dashboard["panels"]) > 5
    for query in queries:
        assert scraped.until(query.replace("$cluster", "live prod")), query
    values = scraped.get("label/cluster/values")
    assert values == ["live prod"]
