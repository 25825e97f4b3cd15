"""The prechecks of an upgrade, for its record: before anything moves, or as soon as the new revision is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clients.kube.cluster import Cluster
from clients.mesh.istioctl import Analyzer
from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.prechecks import prechecks, settings_between
from clients.model.errors import SettingsError
from runner.target.access import Access
from runner.upgrade.record import Event, UpgradeRecord, UpgradeSide

NO_RIGHT = "IST0141"
"""Code of istioctl where its identity may not install the mesh: others do that."""


@dataclass(frozen=True)
class Checking:
    """How the prechecks of one upgrade are made.

    Attributes:
        root: the root namespace; empty for the one that the mesh states.
    """

    cluster: Cluster
    there: Access
    root: str = ""

    def checked(self, record: UpgradeRecord) -> UpgradeRecord:
        """The record with what the prechecks found; as it was while the new revision is not there."""
        if record.prechecked or not record.new.revision:
            return record
        try:
            found, refused = self._all(record)
        except SettingsError as error:  # a version that is not seen, a step back, or both of one minor
            found, refused = settings_between(self.cluster, _name(record.old), record.new.revision, self.root)
            refused = [f"changes between the versions: {error.message}", *refused]
        kept = [one for one in found if one.code != NO_RIGHT]
        rows = tuple((one.level.value, one.code, one.text, one.objects) for one in kept)
        return replace(record, prechecked=True, prechecks=rows, not_checked=tuple(refused))

    def since(self, record: UpgradeRecord, phase: str) -> list[Event]:
        """What a step of the user has set otherwise since the prechecks: errors that they did not find."""
        if not record.new.revision:
            return []
        found, _ = settings_between(self.cluster, _name(record.old), record.new.revision, self.root)
        known = {code for _, code, _, _ in record.prechecks}
        return [
            Event(phase, "precheck", one.code, one.text + (f": {', '.join(one.objects)}" if one.objects else ""))
            for one in found
            if one.level is ChangeLevel.ERROR and one.code not in known
        ]

    def _all(self, record: UpgradeRecord) -> tuple[list[Touched], list[str]]:
        old, new, there = record.old, record.new, self.there
        if not (old.version and new.version):
            raise SettingsError("the versions of both revisions are not seen")
        kubeconfig = Path(there.kubeconfig) if there.kubeconfig else None
        istioctl = Analyzer(Path(there.istioctl), kubeconfig, there.context, old.revision) if there.istioctl else None
        made = prechecks(
            self.cluster,
            old.version,
            new.version,
            revision=_name(old),
            target=new.revision,
            root=self.root,
            istioctl=istioctl,
        )
        return list(made.found), list(made.not_checked)


def _name(side: UpgradeSide) -> str:
    return side.label or side.revision
