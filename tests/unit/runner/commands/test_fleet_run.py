"""Several contexts are proven side by side: a process and a folder each, the worst exit code, one matrix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from report_samples import sample_report

from clients.model.errors import SettingsError
from reports.record import conformance
from runner.commands import cli, fleet
from runner.commands.fleet import Member
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit


def kubeconfig(folder: Path, *names: str) -> Path:
    """One of a cluster that does not answer, without a current context."""
    contexts = [{"name": name, "context": {"cluster": "x", "user": "x"}} for name in names]
    content = {"apiVersion": "v1", "kind": "Config", "users": [{"name": "x", "user": {}}], "contexts": contexts}
    content |= {"clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}]}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_contexts_of_a_command_line() -> None:
    words = ["run", "--context", "a", "suites/lab", "--context=b", "-n", "2", "--", "--context", "pytests own"]
    assert fleet.contexts(words) == (["a", "b"], ["run", "suites/lab", "-n", "2", "--", "--context", "pytests own"])


@pytest.mark.parametrize(
    ("codes", "code"), [([0, 0], 0), ([0, 3], 3), ([3, 2], 2), ([2, 1], 1), ([1, 130], 130), ([0, 1], 1)]
)
def test_the_worst_exit_code_is_that_of_all(
    codes: list[int], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[list[str]] = []

    def ended(members: Sequence[Member], words: Sequence[str]) -> list[int]:
        seen.append(list(words))
        for member in members:
            report = sample_report()
            conformance.save(report, member.folder / report.run.id / conformance.FILE)
        return codes

    monkeypatch.setattr(fleet, "_ended", ended)
    file = kubeconfig(tmp_path, "prod/eu", "prod-us")
    monkeypatch.setenv("MESHPROOF_KUBECONFIG", str(file))
    words = ["run", "--context", "prod/eu", "--out", str(tmp_path / "out"), "--context", "prod-us", "-n", "2"]
    assert cli.main(words) == code
    assert seen == [["run", "-n", "2"]]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"prod-eu", "prod-us", "fleet.html", "fleet.json"}
    assert f"prod/eu: exit code {codes[0]}" in capsys.readouterr().out


def test_each_cluster_has_metrics_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All wrote one file: it had the metrics of the run that ended last."""
    file = kubeconfig(tmp_path, "prod/eu", "prod-us")
    seen: list[Path | None] = []
    monkeypatch.setattr(fleet, "_ended", lambda members, _: seen.extend(one.metrics for one in members) or [2, 2])
    words = ["run", "--kubeconfig", str(file), "--out", str(tmp_path / "out"), "--context=prod/eu", "--context=prod-us"]
    mine = [tmp_path / "mesh-prod-eu.prom", tmp_path / "mesh-prod-us.prom"]
    assert cli.main([*words, "--metrics", str(tmp_path / "mesh.prom")]) == 2
    monkeypatch.setenv("MESHPROOF_METRICS", str(tmp_path / "mesh.prom"))
    assert cli.main(words) == 2
    assert seen == mine * 2
    member = Member("a b", tmp_path, tmp_path / "m.prom")
    assert member.words == ["--context", "a b", f"--out={tmp_path}", f"--metrics={tmp_path / 'm.prom'}"]
    assert Member("a", tmp_path).words == ["--context", "a", f"--out={tmp_path}"]


@pytest.mark.parametrize("by_variable", [False, True])
def test_several_clusters_have_no_one_name(by_variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """History and notifications would take them for one cluster."""
    words = ["run", "--out", str(tmp_path), "--kubeconfig", str(kubeconfig(tmp_path, "a", "b"))]
    words += [] if by_variable else ["--cluster-name", "prod"]
    if by_variable:
        monkeypatch.setenv("MESHPROOF_CLUSTER_NAME", "prod")
    with pytest.raises(SettingsError, match="--cluster-name prod names one cluster of 2"):
        fleet.run(["a", "b"], words)


def test_a_context_that_is_there_twice_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names a cluster twice"):
        fleet.run(["a", "a"], ["run", "--out", str(tmp_path), "--kubeconfig", str(kubeconfig(tmp_path, "a"))])


def test_clusters_that_do_not_answer_are_exit_2_each_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By processes of their own, as a user starts them."""
    words = ["run", "--kubeconfig", str(kubeconfig(tmp_path, "a", "b")), "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--context", "a", "--context", "b"]) == 2
    for name in ("a", "b"):
        lines = (tmp_path / "out" / name / fleet.LOG).read_text()
        assert "does not answer" in lines
        assert "Traceback" not in lines
    printed = capsys.readouterr()
    assert [line for line in printed.out.splitlines() if "127.0.0.1:1" in line and "exit code 2 (" in line]
    assert "conformance.json" not in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("more", [[], ["-p", "no:doctest"], ["-pno:doctest"], ["--", "-p", "no:doctest"]])
def test_a_context_that_is_not_there_starts_nothing(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a plugin of pytest, contexts were not looked at, and each cluster's process ended by itself."""
    words = ["run", "--kubeconfig", str(kubeconfig(tmp_path, "a")), "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--context", "a", "--context", "nope", *more]) == 2
    printed = capsys.readouterr()
    assert "nope" in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["plan", "doctor", "cleanup", "images", "upgrade"])
def test_only_a_run_takes_several_contexts(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--context", "a", "--context", "b"]) == 2
    assert f"--context names 2 clusters: a, b; give `{verb}` one at a time" in capsys.readouterr().err


WAITING = """#!/bin/sh
trap 'exit 3' HUP INT TERM
: > "{folder}/up-$$"
for turn in $(seq 1200); do sleep 0.05; done
"""
"""In the place of Python: a member that cleans up at a signal."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("hangup_ignored", [False, True])
def test_a_signal_reaches_every_member(number: signal.Signals, hangup_ignored: bool, tmp_path: Path) -> None:
    """They have process groups of their own; where the terminal closed, they ran on by themselves."""
    program = tmp_path / "program"
    program.write_text(WAITING.format(folder=tmp_path))
    program.chmod(0o755)
    members = f"[fleet.Member(name, Path({str(tmp_path)!r})) for name in 'ab']"
    code = "import sys; from pathlib import Path; from runner.commands import fleet; "
    code += f"sys.executable = {str(program)!r}; print(fleet._ended({members}, ['run']))"
    ignoring = "trap '' HUP; " * hangup_ignored
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(
        ["sh", "-c", f'{ignoring}exec "$@"', "sh", sys.executable, "-c", code],
        env=environment, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("up-*"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.send_signal(number)
    if hangup_ignored and number is signal.SIGHUP:
        time.sleep(0.3)
        assert started.poll() is None, "under nohup it goes on"
        started.send_signal(signal.SIGTERM)
    output, _ = started.communicate(timeout=60)
    assert (started.returncode, output.splitlines()[-1]) == (0, "[3, 3]")
