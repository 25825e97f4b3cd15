"""All checks before an upgrade of the mesh. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from clients.kube.cluster import Cluster
from clients.mesh.istioctl import Analyzer
from clients.mesh.survey import Survey
from clients.mesh.upgrade import filters, meshes, proxies, revisions
from clients.mesh.upgrade.change import ChangeLevel, Touched, minor_of
from clients.mesh.upgrade.meshes import RevisionMesh
from clients.mesh.upgrade.programs import UpgradePrograms
from clients.mesh.upgrade.removed import REMOVED
from clients.mesh.upgrade.table import CHANGES, NEWEST, OLDEST
from clients.mesh.upgrade.view import MeshView, read
from clients.model.errors import ClusterError, InfrastructureError, SettingsError

_ORDER = tuple(ChangeLevel)


@dataclass(frozen=True)
class Prechecks:
    """What the checks found.

    Attributes:
        start, end: versions (`1.29`, `1.31.1`).
        found: the worst first.
        not_checked: what could not be looked at, in words.
    """

    start: str
    end: str
    found: tuple[Touched, ...] = ()
    not_checked: tuple[str, ...] = ()

    def of(self, level: ChangeLevel) -> tuple[Touched, ...]:
        """Results of one level."""
        return tuple(one for one in self.found if one.level is level)


def prechecks(
    cluster: Cluster,
    start: str,
    end: str,
    *,
    revision: str = "",
    target: str = "",
    root: str = "",
    istioctl: Analyzer | None = None,
) -> Prechecks:
    """Look at a cluster before its mesh moves from one version to another.

    Args:
        revision: the revision or tag that moves; empty for the default one, or the only one.
        target: revision that it moves to; empty for an upgrade in place.
        root: the root namespace; empty for the one that the mesh states.
        istioctl: of the version to which the mesh moves; None where there is none.

    Raises:
        SettingsError: a version is none, the second is not newer, or there is no such revision.
        AccessError: the identity may not read the webhooks.
    """
    check_versions(start, end)
    view = read(cluster, Survey(cluster, revision, root))
    found = [*changes(view, start, end), *revisions.checks(view, target), *proxies.checks(view, start, end)]
    found += filters.checks(view, start, end)
    by_istioctl, refused = _by_program(istioctl, start)
    if target:
        between, unread = settings_between(cluster, revision, target, root)
        found, refused = [*found, *between], [*refused, *unread]
    beyond = minor_of(end) > NEWEST or minor_of(start) < OLDEST - 1
    outside = (f"changes before 1.{OLDEST} and after 1.{NEWEST} are not in the table",) if beyond else ()
    return Prechecks(start, end, _sorted([*found, *by_istioctl]), (*view.unread, *refused, *outside))


def settings_between(cluster: Cluster, revision: str, target: str, root: str = "") -> tuple[list[Touched], list[str]]:
    """How the meshes of two revisions differ, and what of them cannot be read; nothing of one that is not there yet."""
    try:
        old, new = (RevisionMesh.of(Survey(cluster, name, root)) for name in (revision, target))
    except SettingsError:
        return [], [f"MeshConfig of the revision {target}: it is not there yet"]
    unread = [
        f"{what} of the revision {one.revision}: it cannot be read"
        for one in (old, new)
        for what, there in (("MeshConfig", one.config), ("the variables of istiod", one.variables))
        if not there
    ]
    return ([] if unread else list(meshes.checks(old, new))), unread


def check_versions(start: str, end: str) -> None:
    """Raise SettingsError unless the second version is of a newer minor."""
    if minor_of(start) >= minor_of(end):
        raise SettingsError(f"{end} is not of a newer minor than {start}", "state --from and --to, oldest first")


def changes(view: MeshView, start: str, end: str) -> Iterator[Touched]:
    """What the changes of all minors after `start`, up to `end`, touch."""
    minors = range(minor_of(start) + 1, minor_of(end) + 1)
    for one in CHANGES:
        if one.minor in minors and (objects := tuple(dict.fromkeys(one.touches(view)))):
            yield Touched(one.code, one.level, "changes", one.text, objects, one.hint)
    for minor in minors:
        gone = [name for name in REMOVED.get(minor, ()) if name in view.variables]
        if gone:
            text = "istiod does not know these variables any more: what they set is lost"
            objects = tuple(f"istiod {name}={view.variables[name]}" for name in gone)
            yield Touched(
                f"1.{minor}-variables", ChangeLevel.ERROR, "changes", text, objects, "read the notes of the release"
            )


def _by_program(istioctl: Analyzer | None, start: str) -> tuple[list[Touched], list[str]]:
    if istioctl is None:
        return [], ["precheck, analyze and proxy-status: there is no istioctl"]
    programs = UpgradePrograms(istioctl)
    found: list[Touched] = []
    refused: list[str] = []
    checks: dict[str, Callable[[], Sequence[Touched]]] = {
        "precheck": lambda: programs.precheck(start),
        "analyze": programs.analyze,
        "proxy-status": programs.proxy_status,
    }
    for name, check in checks.items():
        try:
            found += check()
        except (InfrastructureError, ClusterError) as error:
            refused.append(f"{name}: {error.message}")
    return found, refused


def _sorted(found: Sequence[Touched]) -> tuple[Touched, ...]:
    """The worst first; what is alike but for its objects is one result."""
    objects: dict[Touched, list[str]] = {}
    for one in found:
        objects.setdefault(replace(one, objects=()), []).extend(one.objects)
    merged = [replace(one, objects=tuple(names)) for one, names in objects.items()]
    return tuple(sorted(merged, key=lambda one: (_ORDER.index(one.level), one.check, one.code)))
