"""A plan has everything that was selected, or there is none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.model.errors import SettingsError
from runner.config.settings import ROOT, Settings
from runner.session.planning.collect_plan import as_asked, collect

pytestmark = pytest.mark.unit

GOOD = """
import pytest

@pytest.mark.control("LAB-PERM-01")
def test_it():
    pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['runner.session.plugin']\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = control(id): x\n")
    (tmp_path / "test_good.py").write_text(GOOD)
    return tmp_path


def test_a_plan_has_every_test_that_proves_a_control(folder: Path) -> None:
    assert [entry.id for entry in collect(["."], Settings(), folder)] == ["LAB-PERM-01"]


def test_a_suite_that_cannot_be_read_is_not_left_out_of_the_plan(folder: Path) -> None:
    (folder / "test_bad.py").write_text("from clients.identity.iap import NoSuchName\n")
    with pytest.raises(SettingsError, match=r"the suites cannot be read: .*NoSuchName"):
        collect(["."], Settings(), folder)


def test_nothing_selected_is_an_error(folder: Path) -> None:
    with pytest.raises(SettingsError, match="nothing was selected"):
        collect([".", "-k", "no_such_test"], Settings(), folder)


def test_an_error_of_our_own_is_not_called_an_empty_selection(folder: Path) -> None:
    with (folder / "conftest.py").open("a") as file:
        file.write("def pytest_collection_modifyitems(items):\n    None['x']\n")
    with pytest.raises(SettingsError, match=r"internal error: TypeError: .* in conftest\.py; please report it"):
        collect(["."], Settings(), folder)


def asked(folder: Path, *words: str) -> Any:
    return SimpleNamespace(invocation_params=SimpleNamespace(args=words, dir=folder))


def test_a_run_collects_in_its_own_process_and_leaves_no_trace(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_bad.py").write_text("import no_such_module\n")
    here, variables, path = Path.cwd(), dict(os.environ), list(sys.path)
    assert [one.id for one in as_asked(asked(folder, "test_good.py"), Settings())] == ["LAB-PERM-01"]
    assert as_asked(asked(folder, "test_good.py", "-k", "no_such_test"), Settings()) == []
    assert as_asked(asked(folder, "test_bad.py"), Settings()) == [], "the run itself names the mistake"
    assert as_asked(asked(folder, "."), Settings()) == [], "nor is a plan of the others one"
    assert as_asked(asked(folder, "--no-such-option"), Settings()) == []
    assert (Path.cwd(), dict(os.environ)) == (here, variables)
    assert set(path) <= set(sys.path)
    assert "".join(capfd.readouterr()) == ""


def test_an_interruption_while_it_collects_ends_the_run(folder: Path) -> None:
    (folder / "test_slow.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        as_asked(asked(folder, "test_slow.py"), Settings())
    (folder / "test_slow.py").write_text("import pytest\npytest.exit('enough', 2)\n")
    assert as_asked(asked(folder, "test_slow.py"), Settings()) == []
