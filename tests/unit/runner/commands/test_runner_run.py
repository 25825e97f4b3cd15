"""`meshproof run` around its test process: reports and exit codes, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from inner_pytest import Inner, suite

from clients.model.errors import SettingsError
from runner.commands import child, cli, common, run
from runner.config.settings import ROOT, Settings
from runner.target import targets

pytestmark = pytest.mark.unit
CONDUCT = "import sys; from pathlib import Path; from runner.commands.run import conduct; "
CONDUCT += "from runner.config.settings import Settings; from runner.target import targets; "
CONDUCT += "sys.exit(conduct(sys.argv[2:], Path(sys.argv[1]), targets.of(Settings())))"


def conduct(inner: Inner, *words: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(map(str, (Path(__file__).parents[4], Path(__file__).parents[2])))
    environment = {**os.environ, "PYTHONPATH": path, "FAKE_TRACE": str(inner.trace)}
    place = ["--rootdir", str(inner.root), "-c", str(inner.root / "pytest.ini"), str(inner.root / "suites")]
    command = [sys.executable, "-c", CONDUCT, str(inner.folder), *words, *place]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def report_of(inner: Inner) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((inner.folder / "conformance.json").read_text())
    return data


def test_a_run_that_passes(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')"))
    process = conduct(inner)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert report_of(inner)["run"]["exit"] == 0
    assert report_of(inner)["totals"]["pass"] == 1
    assert (inner.folder / "index.html").exists()
    assert (inner.folder.parent / "latest").resolve() == inner.folder


def test_reasons_are_shown_once_and_no_file_is_named_for_them(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'fail')"))
    output, _ = conduct(inner).communicate(timeout=120)
    assert "LAB-PERM-01" in output
    assert "short test summary" not in output


def test_the_death_of_the_test_process_still_leaves_reports(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'crash')"))
    process = conduct(inner)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 3, output
    assert report_of(inner)["totals"]["pass"] == 1
    assert "died" in report_of(inner)["run"]["interrupted"]
    assert "LAB-PERM-02" in (inner.folder / "index.html").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_line_cleans_up_and_writes_reports(inner: Inner, number: signal.Signals) -> None:
    inner.write(one=suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-PERM-02', 'wait')"))
    process = conduct(inner)
    inner.wait_until_a_case_waits()
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert report_of(inner)["run"]["interrupted"] == number.name
    assert report_of(inner)["run"]["exit"] == 130
    assert "exit one" in inner.trace.read_text()


def test_nothing_selected_is_bad_input_and_leaves_no_folder(
    inner: Inner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run.child, "python", lambda *words, environment: child.Ended(5))
    with pytest.raises(SettingsError, match="nothing was selected"):
        run.conduct([], inner.folder, targets.of(Settings()))
    assert not inner.folder.exists()


@pytest.mark.parametrize(
    ("ended", "judged", "code"),
    [
        (child.Ended(0), 0, 0),
        (child.Ended(0), 1, 1),
        (child.Ended(0), 3, 3),
        (child.Ended(1), 0, 1),
        (child.Ended(3), 0, 3),
        (child.Ended(3), 1, 1),
        (child.Ended(-9), 0, 3),
        (child.Ended(-9), 1, 1),
        (child.Ended(2), 1, 2),
        (child.Ended(4), 3, 2),
        (child.Ended(130), 1, 130),
        (child.Ended(1, "SIGTERM"), 1, 130),
    ],
)
def test_exit_codes(ended: child.Ended, judged: int, code: int) -> None:
    assert run.exit_code(ended, judged) == code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--control", "LAB-MTLS-99"], "unknown control LAB-MTLS-99"),
        (["run", "--target", "knid"], "there is no target knid; did you mean kind?"),
        (["run", "--target", "embedded", "--context", "prod"], "embedded target has its own"),
        (["runn"], "No such command 'runn'"),
        (["run", "--budget", "-1"], "budget_s"),
        (["run", "--tier", "smok"], "must be 'smoke', 'core' or 'full'"),
        (["run", "--deadline", "soon"], "'soon' is no duration; write for instance 90s, 25m or 1h30m"),
        (["run", "--max-inconclusive", "few"], "'few' is neither a number of cases nor a share of them"),
        (["run", "--max-reduced", "-1"], "max_reduced"),
        (["run", "--tag", "jtw"], "no control has the tag jtw; did you mean jwt?"),
        (["plan", "--skip-tag", "jtw"], "no control has the tag jtw; did you mean jwt?"),
        (["run", "--baseline", "/nowhere"], "cannot read /nowhere"),
        (["run", "--baseline", "pyproject.toml"], "pyproject.toml is not JSON"),
        (["run", "--rerun-failed", "/nowhere"], "there is no run /nowhere to run again"),
        (["run", "--rerun-failed", "pyproject.toml"], "pyproject.toml is not JSON"),
        (["run", "--budget", "inf"], "budget_s"),
        (["run", "--budget", "1e400"], "budget_s"),
        (["run", "--ready", "nan"], "ready_s"),
        (["run", "--confirmations", "99999999999999999999"], "confirmations"),
        (["run", "--leak", "0.0000000001%"], "leak"),
        (["run", "--upload", "http://x"], "upload names no bucket"),
        (["run", "--upload", "s3://"], "upload names no bucket"),
        (["run", "--signing-key", "/etc/passwd"], "/etc/passwd is no private key of Ed25519"),
        (["run", "--metrics", "/etc"], "metrics names /etc, which is a folder"),
        (["run", "--metrics", "/proc/x/y"], "the folder /proc/x cannot be written"),
        (["run", "--out", "/etc/passwd"], "the folder /etc/passwd cannot be written"),
        (["run", "--out", "/proc/x"], "the folder /proc/x cannot be written"),
        (["run", "--image-prefix", "http://a b"], "image_prefix"),
        (["run", "README.md"], "README.md is no file of suites"),
        (["run", "tests"], "tests holds no suites"),
        (["plan", "/etc"], "/etc holds no suites"),
        (["plan", "suites/nowhere"], "there is no file or folder suites/nowhere"),
        (["run", "--istio", "1.31", "--context", "prod"], "istio (1.31) is of the embedded mesh"),
        (["run", "--control", ""], "--control has an empty value"),
        (["--version=2"], "Option '--version' does not take a value"),
        (["--verson"], "No such option"),
        (["plan", "--version"], "No such option"),
        (["bench", "nothing"], "there is no benchmark nothing"),
        (["report", "/nowhere"], "holds no journal"),
        (["diff", "/nowhere", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


@pytest.mark.parametrize("words", [["--version"], ["--version", "run"]])
def test_the_version_is_that_of_the_project(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert capsys.readouterr().out == f"meshproof {version}\n"
    assert re.search(rf"^## {re.escape(version)} ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_options_become_words() -> None:
    given = {"k": "a or b", "m": None, "control": ["A", "B"]}
    assert common.words(given) == ["-k", "a or b", "--control", "A", "--control", "B"]


def test_suites_are_named_from_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    default = ["-o", "testpaths=suites"]
    assert common.suites(None) == default
    assert common.suites(["mine::test_a", "suites/lab"]) == [*default, f"{tmp_path}/mine::test_a", "suites/lab"]
    assert common.suites(["mine", "-p", "mine"]) == [*default, f"{tmp_path}/mine", "-p", "mine"]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start_child(code: str, up: Path, *ignored: signal.Signals) -> subprocess.Popen[str]:
    """A process that runs `code` by `child.python` and exits with 7, started with some signals ignored, as by nohup."""
    script = f"import sys; from runner.commands import child; e = child.python('-c', {code!r}); print(e); sys.exit(7)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    command = ["sh", "-c", "".join(f"trap '' {number:d}; " for number in ignored) + 'exec "$@"', "sh"]
    started = subprocess.Popen(
        [*command, sys.executable, "-c", script], env=environment, text=True, stdout=subprocess.PIPE
    )
    wait_for(up)
    return started


def test_a_child_that_does_not_stop_is_killed_at_the_third_signal(tmp_path: Path) -> None:
    stubborn = "import signal,time,pathlib; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    stubborn += f"pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(60)"
    process = start_child(stubborn, tmp_path / "up")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 7
    assert "code=-9, interrupted='SIGINT'" in output


def cleaning(folder: Path) -> str:
    """A child that cleans up at an interrupt and exits with 5."""
    return f"""
import pathlib, time
try:
    pathlib.Path({str(folder / "up")!r}).touch()
    time.sleep(20)
except KeyboardInterrupt:
    raise SystemExit(5)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [(), (signal.SIGINT,)], ids=["foreground", "background"])
def test_one_signal_lets_the_child_clean_up(
    number: signal.Signals, ignored: tuple[signal.Signals, ...], tmp_path: Path
) -> None:
    """A shell starts a background job with SIGINT ignored, which its children inherit."""
    process = start_child(cleaning(tmp_path), tmp_path / "up", *ignored)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert f"code=5, interrupted='{number.name}'" in output


def test_a_run_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    process = start_child(cleaning(tmp_path), tmp_path / "up", signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert "code=5, interrupted='SIGTERM'" in output


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("vault:x", "the setting identity.token cannot be used: unknown source of tokens"),
        ("command:false", "identity.token: the command failed with exit code 1; run it by hand to see why"),
        ("env:NOT_EXPORTED", "identity.token: the environment has no variable NOT_EXPORTED; export it"),
        ("file:/dev/null", "identity.token: the source gives nothing"),
    ],
)
def test_a_source_without_a_token_ends_the_run_before_anything_starts(
    token: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"ISSUER": "https://a.example", "AUDIENCE": "door", "TOKEN": token}.items():
        monkeypatch.setenv(f"MESHPROOF_IDENTITY__{name}", value)
    assert cli.main(["run", "--control", "CRA-AUTH-03"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"meshproof: {message}")
    assert printed.count("\n") == 1


def test_a_folder_outside_the_checkout_is_not_taken_for_a_folder_of_tests(tmp_path: Path) -> None:
    """Pytest took it for its root, found no options of ours there, and ended with its usage."""
    words = [*common.suites(None), "--control", "LAB-PERM-01", "--collect-only", "-q"]
    command = [sys.executable, *run.pytest_words(tmp_path, words)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "LAB-PERM-01" in ran.stdout
