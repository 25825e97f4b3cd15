"""The user's working folder, which is not the checkout: its settings count, and its relative paths."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.commands import child, cli
from runner.config import folders, settings
from runner.config.settings import Settings
from runner.session.planning import collect_plan

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[4]
FILE = """
target = "live"
context = "prod"
kubeconfig = "kube/config"
out = "runs"
archives = ["a.tar"]
[identity]
issuer = "https://accounts.example.com"
audience = "door"
jwks = "keys.json"
token = "env:TOKEN"
"""
SEEN = '''
"""Stands in for the target, and records the settings of each process."""

import os
from pathlib import Path

import pytest

from reports.record.model import TargetInfo
from runner.session.fixtures import RUN_CONTEXT
from runner.target.descriptor import TargetDescriptor


def pytest_meshproof_target(config):
    return TargetDescriptor(TargetInfo("live"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    seen = config.stash[RUN_CONTEXT]
    path = Path(os.environ["SEEN"]) / f"{seen.worker}.json"
    path.write_text(seen.settings.model_dump_json())
    items[:] = []
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with the file of settings in it; the working folder."""
    (tmp_path / "meshproof.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "x")
    return tmp_path


def assert_of(loaded: Settings, home: Path) -> None:
    assert (loaded.target, loaded.context) == ("live", "prod")
    assert loaded.kubeconfig == home / "kube" / "config"
    assert loaded.out == home / "runs"
    assert loaded.archives == (home / "a.tar",)
    assert loaded.identity.jwks == home / "keys.json"


@pytest.mark.parametrize(
    ("words", "processes"), [([], {"main"}), (["-n", "2"], {"gw0", "gw1"})], ids=["alone", "two workers"]
)
def test_the_test_processes_of_a_run_have_the_settings_of_the_users_folder(
    home: Path, words: list[str], processes: set[str]
) -> None:
    (home / "seen").mkdir()
    (home / "stand_in.py").write_text(SEEN)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MESHPROOF_")}
    path = os.pathsep.join([str(ROOT), "."])  # the user's own modules are found from the user's folder
    command = [sys.executable, "-m", "runner", "run", "-p", "stand_in", *words, "suites/lab/test_permissive.py"]
    made = subprocess.run(
        command,
        cwd=home,
        env={**inherited, "PYTHONPATH": path, "SEEN": str(home / "seen")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert {one.stem for one in (home / "seen").iterdir()} == processes, made.stdout + made.stderr
    for one in (home / "seen").iterdir():
        assert_of(Settings.model_validate_json(one.read_text()), home)


def test_settings_are_on_no_command_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[str, ...], Mapping[str, str]]] = []

    def python(*words: str, environment: Mapping[str, str]) -> child.Ended:
        asked.append((words, environment))
        return child.Ended(5)

    monkeypatch.setattr(child, "python", python)
    monkeypatch.setenv("MESHPROOF_IAP__AUDIENCE", "from-the-environment")
    assert cli.main(["run", "-p", "no:doctest", "--budget", "7", "--control", "LAB-PERM-01"]) == 2
    [(words, environment)] = asked
    assert not {"--target", "--context", "--budget"} & set(words)
    assert "env:TOKEN" not in " ".join(words)
    [text] = environment.values()
    handed = Settings.model_validate_json(text)
    assert_of(handed, home)
    assert (handed.budget_s, handed.iap.audience) == (7, "from-the-environment")


def test_settings_that_are_passed_on_count_instead_of_any_file_or_variable(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.load({"budget_s": 7.0}).handed().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MESHPROOF_BUDGET_S", "9")
    (home / "meshproof.toml").write_text("nonsense = 1\n")
    assert_of(settings.load(), home)
    assert settings.load().budget_s == 7
    assert settings.load({"budget_s": 8.0}).budget_s == 8, "the command line still comes first"


def test_a_plan_is_made_by_the_settings_of_the_users_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def run(command: list[str], **how: Any) -> Any:
        asked.append(how)
        return SimpleNamespace(stdout="", stderr="", returncode=5)

    monkeypatch.setattr(collect_plan.subprocess, "run", run)
    assert cli.main(["plan", "--control", "LAB-PERM-01"]) == 2
    [how] = asked
    assert how["cwd"] == ROOT
    assert_of(Settings.model_validate_json(how["env"][settings.SETTLED_VARIABLE]), home)


@pytest.mark.parametrize("words", [["doctor"], ["cleanup"], ["run", "--control", "LAB-PERM-01"]])
def test_the_kubeconfig_is_the_one_that_the_users_folder_names(
    home: Path, words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "meshproof.toml").write_text('kubeconfig = "kube/config"\n')
    assert cli.main(words) != 0
    printed = capfd.readouterr()
    assert f"{home}/kube/config cannot be used" in printed.out + printed.err


@pytest.mark.parametrize("word", ["kube", "./kube", "{home}/kube"])
def test_paths_of_the_command_line_and_of_variables_count_from_the_users_folder(
    home: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = word.format(home=home)
    assert settings.load({"kubeconfig": word}).kubeconfig == home / "kube"
    monkeypatch.setenv("MESHPROOF_KUBECONFIG", word)
    monkeypatch.setenv("MESHPROOF_ARCHIVES", json.dumps([word]))
    assert settings.load().kubeconfig == home / "kube"
    assert settings.load().archives == (home / "kube",)


def test_a_named_file_of_settings_has_its_paths_from_its_own_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "conf").mkdir()
    (home / "conf" / "mine.toml").write_text('kubeconfig = "kube"\nout = "~/runs"\n')
    monkeypatch.setenv("MESHPROOF_CONFIG", "conf/mine.toml")
    loaded = settings.load()
    assert loaded.kubeconfig == home / "conf" / "kube"
    assert loaded.out == Path.home() / "runs"


def test_variables_with_paths_are_absolute_for_a_child(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"kube:{home}/other")
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", "cache")
    code = "import os; print(os.environ['KUBECONFIG'], os.environ['MESHPROOF_CACHE_DIR'], os.getcwd())"
    assert child.python("-c", code).code == 0
    assert capfd.readouterr().out.split() == [f"{home}/kube:{home}/other", f"{home}/cache", str(ROOT)]


def test_words_for_pytest_alone_still_mean_the_suites(home: Path) -> None:
    """They began the project's own tests: pytest's words have values, and none of these was a path."""
    loaded = settings.load()
    plan = collect_plan.collect(["-o", "testpaths=suites", "-p", "no:doctest", "-k", "permissive"], loaded)
    assert {entry.suite.split("/")[0] for entry in plan} == {"suites"}


def test_scratch_folders_of_a_process_that_was_killed_are_swept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os; from clients.kube.api import Api; from clients.kube.cluster import Cluster; "
    code += "made = Cluster(Api(None)); os._exit(3)"
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    (home / "tmp").mkdir()
    assert child.python("-c", code).code == 3
    assert len(list((home / "tmp").iterdir())) == 1
    monkeypatch.setattr(folders.tempfile, "tempdir", str(home / "tmp"))
    folders.sweep_private_folders()
    assert not list((home / "tmp").iterdir())
