"""The root executable: one environment per lock and interpreter, made once, also by two at once or after a kill."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit
SCRIPT = Path(__file__).parents[4] / "meshproof"


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The executable as a module, with a cache and a lock of its own."""
    loader = importlib.machinery.SourceFileLoader("bootstrap", str(SCRIPT))
    spec = importlib.util.spec_from_loader("bootstrap", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "LOCK", tmp_path / "requirements.lock")
    module.LOCK.write_text("one==1 \\\n    --hash=sha256:00\n")
    return module


def test_another_lock_is_another_environment(bootstrap: ModuleType, tmp_path: Path) -> None:
    first = bootstrap.environment_folder()
    assert first == bootstrap.environment_folder()
    assert first.parent == tmp_path / "cache" / "meshproof"
    bootstrap.LOCK.write_text("one==2\n")
    assert bootstrap.environment_folder() != first


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/bin:/bin", "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"),
        ("/usr/sbin:/usr/bin:/sbin:/bin", "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"),
    ],
)
def test_roots_programs_are_found_in_a_shell_by_su(bootstrap: ModuleType, path: str, expected: str) -> None:
    assert bootstrap.with_roots_programs(path) == expected


def test_of_two_at_once_one_makes_it_and_the_other_waits(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def install(home: Path, scratch: Path) -> None:
        made.append(home)
        time.sleep(0.2)
        home.mkdir()

    monkeypatch.setattr(bootstrap, "install", install)
    home = bootstrap.environment_folder()
    threads = [threading.Thread(target=bootstrap.make_environment, args=(home,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [home]


def test_what_a_killed_attempt_left_is_made_again(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    home = bootstrap.environment_folder()
    (home / "half").mkdir(parents=True)
    monkeypatch.setattr(bootstrap, "install", lambda home, scratch: home.mkdir())
    bootstrap.make_environment(home)
    assert [path.name for path in home.iterdir()] == ["complete"]


def test_an_index_that_does_not_answer_is_reported_with_the_last_lines(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        bootstrap, "find_pip", lambda scratch: ["sh", "-c", "echo Collecting one; echo no route; exit 1"]
    )
    home = bootstrap.environment_folder()
    with pytest.raises(SystemExit) as ended:
        bootstrap.make_environment(home)
    output = capsys.readouterr().err
    assert ended.value.code == 2
    assert "1/1 one" in output
    assert "no route" in output
    assert not (home / "complete").exists()


def test_without_any_pip_there_is_a_hint(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bootstrap, "pip_is_new_enough", lambda pip: False)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        bootstrap.find_pip(tmp_path)
    assert "apt-get install python3-venv" in capsys.readouterr().err


def test_the_lock_names_no_index_and_hashes_everything() -> None:
    lines = (SCRIPT.parent / "requirements.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line or "--index" in line or "--find-links" in line]
    pinned = [number for number, line in enumerate(lines) if "==" in line and not line.lstrip().startswith("#")]
    assert pinned
    assert all("--hash=" in lines[number + 1] for number in pinned)
