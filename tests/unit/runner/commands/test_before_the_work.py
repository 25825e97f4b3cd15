"""Bad options of commands that work for minutes or hours: reported in one line before anything is built or measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clients.model.errors import SettingsError
from runner.commands import bench, child, selfcheck, testbed, upgrade
from runner.upgrade import own_cluster
from testbed import api

pytestmark = pytest.mark.unit

NOWHERE = Path("/proc/nowhere/figures.json")


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        pytest.fail("something started")

    monkeypatch.setattr(child, "python", started)
    monkeypatch.setattr(own_cluster, "given", started)
    monkeypatch.setattr(api, "export", started)


@pytest.mark.parametrize(
    "command",
    [
        lambda file: bench.bench("lab", json=file),
        lambda file: selfcheck.selfcheck(mutants=True, json=file),
        lambda file: testbed.export(file),
    ],
    ids=["bench", "selfcheck", "testbed export"],
)
@pytest.mark.parametrize("folder", [False, True])
def test_a_file_that_cannot_be_written(command: Callable[[Path], int], folder: bool, tmp_path: Path) -> None:
    """`bench` and `selfcheck` had said so after hours, and with the figures lost."""
    with pytest.raises(SettingsError, match="is a folder" if folder else "/proc/nowhere cannot be written"):
        command(tmp_path if folder else NOWHERE)


def test_a_folder_for_reports_that_cannot_be_made() -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        selfcheck.selfcheck(mutants=True, keep=NOWHERE)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tier": "nope"}, "the setting tier"),
        ({"workers": "many"}, "the setting workers"),
        ({"out": "/proc/nowhere"}, "the folder /proc/nowhere cannot be written"),
    ],
)
def test_settings_of_an_upgrade_before_two_versions_are_built(given: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        upgrade.upgrade(start="1.29", end="1.31", **given)
