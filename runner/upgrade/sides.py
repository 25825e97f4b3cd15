"""The two sides of an upgrade: the revisions that it leads from and to."""

from __future__ import annotations

from clients.kube.cluster import Cluster
from clients.mesh.survey.survey import Survey
from clients.model.errors import SettingsError
from runner.upgrade.record import UpgradeSide


def side(cluster: Cluster, wanted: str, root: str = "") -> UpgradeSide:
    """A revision or tag of the mesh.

    Raises:
        SettingsError: there is no such one.
    """
    survey = Survey(cluster, wanted, root)
    return UpgradeSide(survey.revision.label, survey.revision.name, survey.version)


def check_sides(old: UpgradeSide, new: UpgradeSide) -> None:
    """Raise SettingsError where both are the same revision."""
    if old.revision == new.revision:
        names = " and ".join(dict.fromkeys((old.label or old.revision, new.label or new.revision)))
        raise SettingsError(
            f"{names} are the same revision {old.revision}", "name two by --from-revision, --to-revision"
        )
