"""A plan has everything that was selected, or there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.model.errors import SettingsError
from runner.config.settings import ROOT, Settings
from runner.session.planning.collect_plan import collect

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
