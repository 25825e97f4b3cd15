"""An earlier run in place of the first phase's: what it must be of, before anything moves."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from report_samples import a_case, sample_run, sample_target

from clients.model.errors import SettingsError
from reports.record import conformance
from reports.record.model import MeshRecord, Report
from runner.commands import cli, upgrade
from runner.target.access import Access
from runner.target.embedded import Embedded
from runner.upgrade import own_cluster
from runner.upgrade.baseline import OldMesh, check_cases, check_mesh, load

pytestmark = pytest.mark.unit

MESH = MeshRecord("istio", "1.29.1", "1-29-1", "Istio")
OLD = OldMesh("1.29.1", "1-29-1", "Istio", "uid-1")
RUN = Report(run=sample_run(), target=replace(sample_target(), mesh=MESH, uid="uid-1"), cases=(a_case(),))


def of(**changes: str) -> Report:
    uid = changes.pop("uid", "uid-1")
    return replace(RUN, target=replace(RUN.target, mesh=replace(MESH, **changes), uid=uid))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (of(), ""),
        (of(revision="", flavour="", uid=""), ""),  # an older release did not record them
        (of(version="1.28.0"), "is of 1.28.0, and the upgrade is from 1.29.1"),
        (of(version=""), "is of an unknown version"),
        (
            of(flavour="managed Cloud Service Mesh (istiod)"),
            "is of the flavour managed Cloud Service Mesh (istiod), an",
        ),
        (of(revision="canary"), "is of the revision canary, and the upgrade is from 1-29-1"),
        (of(uid="uid-2"), "is of another cluster"),
    ],
)
def test_a_run_of_another_mesh_takes_no_place(run: Report, message: str) -> None:
    """What another revision or cluster did otherwise would count as a regression of the new version."""
    if not message:
        check_mesh(Path("run"), run, OLD)
        return
    with pytest.raises(SettingsError, match=re.escape(message)):
        check_mesh(Path("run"), run, OLD)


def test_of_the_embedded_cluster_the_uid_says_nothing() -> None:
    check_mesh(Path("run"), of(uid="uid-2"), replace(OLD, cluster=""))


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        ({a_case().id}, ""),
        ({a_case().id, "X-1", "X-2"}, "the run run lacks 2 cases, for instance X-1"),
        (set(), f"the run run has, and the upgrade does not prove, 1 case, for instance {a_case().id}"),
    ],
)
def test_a_run_of_other_suites_takes_no_place(planned: set[str], message: str) -> None:
    """Each case that one of them lacks would be `not known`, after half an hour."""
    if not message:
        check_cases(Path("run"), RUN, planned)
        return
    with pytest.raises(SettingsError, match=re.escape(message)):
        check_cases(Path("run"), RUN, planned)


def test_a_run_that_is_not_whole_takes_no_place(tmp_path: Path) -> None:
    for name, run in (("whole", RUN), ("empty", replace(RUN, cases=())), ("cut", replace(RUN, not_run=("X-1",)))):
        conformance.save(run, tmp_path / f"{name}.json")
    assert load(tmp_path / "whole.json").run.id == RUN.run.id
    for name in ("empty", "cut"):
        with pytest.raises(SettingsError, match="is not whole"):
            load(tmp_path / f"{name}.json")


def test_the_command_compares_before_it_reaches_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, name in ((Embedded, "access"), (Access, "connect"), (own_cluster, "given")):
        monkeypatch.setattr(place, name, lambda *_: pytest.fail("a cluster is reached"))
    monkeypatch.setattr(upgrade, "collect", lambda *_: [SimpleNamespace(ids=(a_case().id,))])
    conformance.save(of(version="1.28.0"), tmp_path / "old.json")
    conformance.save(replace(RUN, cases=(), not_run=(a_case().id,)), tmp_path / "cut.json")
    own = ["upgrade", "--from", "1.29", "--to", "1.31"]
    for words, file, message in (
        (own, "old.json", "is of 1.28.0, and the upgrade is from 1.29.1"),
        (["upgrade", "--from-revision", "a", "--to-revision", "b"], "cut.json", "is not whole"),
    ):
        assert cli.main([*words, "--baseline", str(tmp_path / file)]) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setattr(upgrade, "collect", lambda *_: [SimpleNamespace(ids=("X-1",))])
    assert cli.main([*own, "--baseline", str(tmp_path / "old.json")]) == 2
    assert "lacks 1 case, for instance X-1" in capsys.readouterr().err
