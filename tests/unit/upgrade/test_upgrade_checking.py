"""The prechecks within an upgrade: for any two versions, and again after each step of the user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.prechecks import Prechecks
from clients.mesh.upgrade.unchecked import Unchecked
from runner.target.access import Access
from runner.upgrade import checking
from runner.upgrade.checking import Checking
from runner.upgrade.record import UpgradeRecord, UpgradeSide

pytestmark = pytest.mark.unit
RECORD = UpgradeRecord("u", UpgradeSide("stable", "1-29-1", "1.29.1"), UpgradeSide("next", "1-29-4", "1.29.4"))


def checks() -> Checking:
    cluster: Any = None
    return Checking(cluster, Access())


@pytest.mark.parametrize("version", ["1.29.4", "1.31.1", "1.28.0", ""])
def test_the_prechecks_are_made_whatever_the_versions_are(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def look(_: Any, start: str, end: str, **__: Any) -> Prechecks:
        asked.append((start, end))
        found = Touched("REVISION-BOUND", ChangeLevel.ERROR, "revisions", "x", ("AuthorizationPolicy a/b",))
        return Prechecks(start, end, (found,), (Unchecked("Pod: refused"),))

    monkeypatch.setattr(checking, "prechecks", look)
    made = checks().checked(replace(RECORD, new=replace(RECORD.new, version=version)))
    assert asked == [("1.29.1", version)]
    assert (made.prechecked, made.not_checked) == (True, (Unchecked("Pod: refused"),))
    assert [(level, code) for level, code, *_ in made.prechecks] == [("error", "REVISION-BOUND")]


def since(
    monkeypatch: pytest.MonkeyPatch, record: UpgradeRecord, *found: Touched, missing: tuple[Unchecked, ...] = ()
) -> Any:
    monkeypatch.setattr(checking, "settings_between", lambda *_: (list(found), list(missing)))
    return [(event.kind, event.what) for event in checks().since(replace(record, prechecked=True), "moved")]


def test_a_warning_that_becomes_an_error_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alias that a hook takes away: the code was known, and only as a warning."""
    error = Touched("MESH-TRUST-DOMAIN", ChangeLevel.ERROR, "meshes", "x")
    warned = replace(RECORD, prechecks=(("warning", "MESH-TRUST-DOMAIN", "x", ()),))
    assert since(monkeypatch, warned, error) == [("precheck", "MESH-TRUST-DOMAIN")]
    known = replace(RECORD, prechecks=(("error", "MESH-TRUST-DOMAIN", "x", ()),))
    assert since(monkeypatch, known, error) == []


def test_another_object_of_a_known_error_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    error = Touched("MESH-PROVIDERS", ChangeLevel.ERROR, "meshes", "x", ("door", "log"))
    known = replace(RECORD, prechecks=(("error", "MESH-PROVIDERS", "x", ("door",)),))
    assert since(monkeypatch, known, error) == [("precheck", "MESH-PROVIDERS")]


def test_what_cannot_be_read_any_more_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Unchecked("MeshConfig of the revision 1-29-4: it cannot be read")
    assert since(monkeypatch, RECORD, missing=(line,)) == [("not known", "prechecks")]
    assert since(monkeypatch, replace(RECORD, not_checked=(line,)), missing=(line,)) == []
