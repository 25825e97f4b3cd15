"""The prechecks of an upgrade, for its record: before anything moves, or as soon as the new revision is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clients.kube.cluster import Cluster
from clients.mesh.istioctl import Analyzer
from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.prechecks import prechecks, settings_between
from clients.mesh.upgrade.unchecked import Unchecked
from runner.target.access import Access
from runner.upgrade.record import Event, UpgradeRecord, UpgradeSide
from runner.upgrade.verdict import NOT_KNOWN_KIND

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
        found, refused = self._all(record)
        kept = [one for one in found if one.code != NO_RIGHT]
        rows = tuple((one.level.value, one.code, one.text, one.objects) for one in kept)
        return replace(record, prechecked=True, prechecks=rows, not_checked=tuple(refused))

    def since(self, record: UpgradeRecord, phase: str) -> list[Event]:
        """What a step of the user has set otherwise since the prechecks: errors that they did not find."""
        if not record.new.revision:
            return []
        found, missing = settings_between(self.cluster, _name(record.old), record.new.revision, self.root)
        known = {(code, objects) for level, code, _, objects in record.prechecks if level == ChangeLevel.ERROR}
        return [
            *(
                Event(phase, "precheck", one.code, one.text + (f": {', '.join(one.objects)}" if one.objects else ""))
                for one in found
                if one.level is ChangeLevel.ERROR and (one.code, one.objects) not in known
            ),
            *(
                Event(phase, NOT_KNOWN_KIND, "prechecks", one.text)
                for one in missing
                if record.prechecked and one not in record.not_checked
            ),
        ]

    def _all(self, record: UpgradeRecord) -> tuple[list[Touched], list[Unchecked]]:
        old, new, there = record.old, record.new, self.there
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
