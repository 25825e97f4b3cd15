"""An earlier run of the old version, in place of the one in the phase `before` (`--baseline`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from clients.model.counted import counted
from clients.model.errors import SettingsError
from reports.record import conformance
from reports.record.model import Report


@dataclass(frozen=True)
class OldMesh:
    """What the run must be of; what is empty is not compared.

    Attributes:
        revision: name of the revision, never a tag.
        cluster: uid of the cluster; empty for the embedded one, whose uid says nothing.
    """

    version: str
    revision: str = ""
    flavour: str = ""
    cluster: str = ""


def load(path: Path) -> Report:
    """The run.

    Raises:
        SettingsError: not all of its cases have run.
        ReportError: it cannot be read.
    """
    report = conformance.load(path)
    if report.not_run or not report.cases:
        raise SettingsError(f"the run {path} is not whole", "name one whose cases have all run")
    return report


def check_mesh(path: Path, report: Report, old: OldMesh) -> None:
    """Refuse a run of another mesh: what differs from it would not be the new version's doing.

    Raises:
        SettingsError: the version, flavour, revision or cluster is another than the one that is left.
    """
    mesh = report.target.mesh
    if mesh.version != old.version:
        seen = mesh.version or "an unknown version"
        raise SettingsError(f"the run {path} is of {seen}, and the upgrade is from {old.version}", "name one of that")
    pairs = (("flavour", mesh.flavour, old.flavour), ("revision", mesh.revision, old.revision))
    for what, seen, due in pairs:
        if seen and due and seen != due:
            raise SettingsError(
                f"the run {path} is of the {what} {seen}, and the upgrade is from {due}", "name one of that"
            )
    if report.target.uid and old.cluster and report.target.uid != old.cluster:
        raise SettingsError(f"the run {path} is of another cluster", "name one of the cluster that is upgraded")


def check_cases(path: Path, report: Report, planned: Collection[str]) -> None:
    """Refuse a run of other suites: a case that one side lacks cannot be compared, and makes the answer `not known`.

    Args:
        planned: ids of the cases that the upgrade proves.

    Raises:
        SettingsError: the run lacks some of them, or has others.
    """
    there = report.marks.keys()
    hint = "name a run of the same SUITE and --tier, by this release"
    for lacking, where in ((planned - there, "lacks"), (there - set(planned), "has, and the upgrade does not prove,")):
        if lacking:
            some = f"for instance {min(lacking)}"
            raise SettingsError(f"the run {path} {where} {counted(len(lacking), 'case')}, {some}", hint)
