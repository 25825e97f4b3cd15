"""Which browser a run uses, when one is built for it, and the hint where there is none."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from clients.model.errors import ClusterError
from clients.probe import browser
from reports.record.model import TargetInfo
from runner.commands import doctor
from runner.config.catalogue import Control
from runner.config.settings import Settings
from runner.target import browsers, needs
from runner.target.descriptor import TargetDescriptor
from testbed import api, bundle, golden
from testbed import browser as part
from testbed.build.command import BuildError
from testbed.store import COMPLETE, PartStore

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser on the PATH, the tools that a browser is built with, an empty store, and root."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(browser, "installed", lambda: "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Stands in for Debian's packages; records what was requested."""
    asked: list[tuple[str, ...]] = []

    def unpack(target: Path, names: tuple[str, ...], work: Path, _: object) -> str:
        asked.append(names)
        (target / "usr/lib/chromium").mkdir(parents=True)
        (target / "usr/lib/x86_64-linux-gnu/dri").mkdir(parents=True)
        (target / "usr/lib/chromium/chromium-headless-shell").touch()
        shutil.rmtree(work)
        return "chromium-headless-shell 1"

    monkeypatch.setattr(part.debian, "root_file_system", unpack)
    return asked


def held(file: Path) -> set[str]:
    with tarfile.open(file) as archive:
        return set(archive.getnames())


def wanted() -> bool:
    return True


def never() -> bool:
    raise AssertionError("this must not be called")


def test_a_browser_on_the_path_is_preferred(monkeypatch: pytest.MonkeyPatch, packages: list[object]) -> None:
    monkeypatch.setattr(browser, "installed", lambda: "/usr/bin/chromium")
    assert browsers.find_or_install(never, print).program == "/usr/bin/chromium"
    assert browsers.describe() == (True, "/usr/bin/chromium")
    assert packages == []


def test_it_is_built_once_and_found_again_without_a_question(packages: list[object]) -> None:
    lines: list[str] = []
    made = Path(browsers.find_or_install(wanted, lines.append).program)
    assert os.access(made, os.X_OK)
    assert (made.parent / "root/usr/lib/chromium/chromium-headless-shell").exists()
    assert not (made.parent / "root/usr/lib/x86_64-linux-gnu/dri").exists()
    assert (made.parent / "view").is_dir()
    assert any("headless Chromium" in line for line in lines)
    assert browsers.find_or_install(never, lines.append).program == str(made)
    assert len(packages) == 1


def test_it_is_not_built_where_nothing_needs_it(packages: list[object]) -> None:
    assert browsers.find_or_install(lambda: False, print) == browsers.Found(why_not=browsers.UNWANTED)
    assert packages == []
    assert browsers.describe() == (True, "the testbed's own, built when it is first needed (about 100 MB)")


def test_without_root_there_is_a_hint_what_to_install(monkeypatch: pytest.MonkeyPatch, packages: list[object]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = browsers.find_or_install(wanted, print)
    assert found.why_not == "none is on the PATH, and only root can build the private browser; apt-get install chromium"
    assert packages == []
    finding = doctor.browser()
    assert (finding.ok, finding.optional) == (False, True)
    assert "without" in finding.sign


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part.shutil, "which", lambda name: None if name == "apt-get" else f"/bin/{name}")
    assert api.browser_problem() == "the private browser needs apt-get"


def test_one_that_cannot_be_built_costs_the_run_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise BuildError("downloading Debian packages failed with exit code 100; its last lines:\n    Err: no route")

    monkeypatch.setattr(part.debian, "root_file_system", fails)
    lines: list[str] = []
    found = browsers.find_or_install(wanted, lines.append)
    assert not found.program
    assert "\n" not in found.why_not
    assert any("no route" in line for line in lines)


def test_the_reason_of_a_skip_is_why_there_is_none() -> None:
    target = TargetDescriptor(TargetInfo("live"), lacks={"chromium": "none is on the PATH"})
    why = needs.reason_to_skip(Control("A-1", "t", "allow"), {"chromium"}, target, Settings())
    assert why.startswith("the target lacks chromium (needs headless Chromium")
    assert ": none is on the PATH)" in why
    assert TargetDescriptor.from_json(target.to_json()) == target


def test_it_is_carried_with_the_cluster(
    tmp_path: Path, packages: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "needed", lambda parts: [golden.part(parts)])
    store = PartStore()
    for release in bundle.ISTIO_RELEASES.values():
        place = store.path(golden.part(bundle.Parts(release, lambda _: None)))
        place.mkdir(parents=True)
        (place / COMPLETE).write_text("{}")
    api.export(tmp_path / "without.tar.gz", lambda _: None)
    made = api.make_browser(lambda _: None)
    api.export(tmp_path / "with.tar.gz", lambda _: None)
    launcher = f"{made.parent.name}/{made.name}"
    assert launcher not in held(tmp_path / "without.tar.gz")
    assert launcher in held(tmp_path / "with.tar.gz")
    shutil.rmtree(store.root)
    api.import_(tmp_path / "with.tar.gz", lambda _: None)
    assert api.browser_built()
    assert os.access(api.make_browser(), os.X_OK)


def test_a_store_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(ClusterError, match="cannot be written"):
        api.make_browser(lambda _: None)
