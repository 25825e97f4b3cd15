"""Whether what `--resume` goes on with is the upgrade that the command line asks for, on the same cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import MeshproofError, SettingsError
from reports.record import conformance
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import UpgradeRecord, UpgradeSide

EMBEDDED = "embedded"
"""In place of a cluster's uid: the embedded one is another after each start, and alike."""


@dataclass(frozen=True)
class AskedAgain:
    """What the command line states next to `--resume`; empty for what it does not state.

    Attributes:
        tier: in words.
        baseline: it names an earlier run in place of the first one.
    """

    old: str = ""
    new: str = ""
    suites: Sequence[str] = ()
    namespaces: Sequence[str] = ()
    tier: str = ""
    baseline: bool = False


def check(record: UpgradeRecord, asked: AskedAgain, folder: Path) -> None:
    """Compare what is stated with what the upgrade began with; both may state the same.

    Args:
        folder: of the upgrade.

    Raises:
        SettingsError: the upgrade is another one, or what its phases rest on is not there any more.
    """
    names = [one.name for one in record.namespaces]
    stated = (
        ("--from-revision", _is_other(asked.old, record.old), record.old.label or record.old.revision),
        ("--to-revision", _is_other(asked.new, record.new), record.new.label or record.new.revision),
        ("SUITE", bool(asked.suites) and tuple(asked.suites) != record.suites, " ".join(record.suites) or "all"),
        ("--namespace", bool(asked.namespaces) and {*asked.namespaces} != {*names}, ", ".join(names) or "none"),
        ("--tier", asked.tier not in ("", record.tier), record.tier),
    )
    for option, differs, was in stated:
        if differs:
            raise SettingsError(f"{option} is not as the upgrade {record.id} began: {was}", "leave it out to go on")
    first = next((one for one in record.phases if one.name == PhaseName.BEFORE), None)
    if first is None:
        return
    if asked.baseline and first.run:
        raise SettingsError("--baseline comes too late: the phase before is finished", "leave it out to go on")
    if first.run:
        try:
            conformance.load(folder / first.run)
        except MeshproofError as error:
            hint = "later runs are compared with it: begin the upgrade again, without --resume"
            raise SettingsError(f"the run of the phase before is missing: {error.message}", hint) from None


def check_like(record: UpgradeRecord, like: str) -> None:
    """Compare the mesh that is rehearsed.

    Args:
        like: identity of the file that `--like` names; empty for none.

    Raises:
        SettingsError: it is another than the upgrade began with.
    """
    if like != record.like:
        hint = "name the file by --like that it began with" if record.like else "leave --like out to go on"
        raise SettingsError(f"the upgrade {record.id} began with another mesh than --like names", hint)


def check_place(record: UpgradeRecord, place: str) -> None:
    """Compare the cluster.

    Args:
        place: its uid, or `EMBEDDED`; empty where it cannot be read.

    Raises:
        SettingsError: it is another than the upgrade began on.
    """
    if place and record.cluster and place != record.cluster:
        own = record.cluster == EMBEDDED
        hint = "name the same versions by --from and --to" if own else "name that one by --context"
        where = "the embedded cluster" if own else "another cluster"
        raise SettingsError(f"the upgrade {record.id} is of {where}", hint)


def _is_other(name: str, side: UpgradeSide) -> bool:
    return name not in ("", side.label, side.revision)
